BEGIN TRANSACTION;
CREATE TABLE api_calls (
	call_id INTEGER NOT NULL, 
	started_at DATETIME NOT NULL, 
	operation VARCHAR(64) NOT NULL, 
	item TEXT, 
	run_id VARCHAR(64) NOT NULL, 
	outcome VARCHAR(64) NOT NULL, 
	code VARCHAR(32), 
	http_status INTEGER, 
	duration_seconds FLOAT NOT NULL, 
	waited_seconds FLOAT NOT NULL, 
	bytes_sent INTEGER NOT NULL, 
	bytes_received INTEGER NOT NULL, 
	cost_usd FLOAT NOT NULL, 
	PRIMARY KEY (call_id)
);
INSERT INTO "api_calls" VALUES(1,'2026-11-21 01:54:29.273093','upload','copy-of-red-c68a19ac24661feb.mp4','run-1','ok','0000',200,2.26941159999114461243e-02,0.0,3821,199,0.00075);
INSERT INTO "api_calls" VALUES(2,'2026-11-21 01:54:29.274919','upload','blue-83a9089f0c903fd6.mp4','run-1','ok','0000',200,3.78937700006645172834e-02,0.0,3214,192,0.00075);
INSERT INTO "api_calls" VALUES(3,'2026-11-21 01:54:29.369749','list_videos',NULL,'run-1','ok','0000',200,6.75731299998005852103e-03,0.0,43,815,0.0);
INSERT INTO "api_calls" VALUES(4,'2026-11-21 01:54:29.399598','search','red','run-1','ok','0000',200,6.04637400101637467741e-03,0.0,165,371,0.0001);
INSERT INTO "api_calls" VALUES(5,'2026-11-21 01:54:29.407572','search_audio_transcripts','warranty','run-1','ok','0000',200,3.94643700019514653831e-03,0.0,0,335,0.0001);
INSERT INTO "api_calls" VALUES(6,'2026-11-21 01:54:29.412888','search_similar_images','red.png','run-1','ok','0000',200,0.00782829799936735,0.0,588,385,0.0001);
INSERT INTO "api_calls" VALUES(7,'2026-11-21 01:54:29.723957','search_clips_by_image','red.png in VI779162722908897280','run-1','ok','0000',200,8.4905939984309952706e-03,0.0,704,202,0.0001);
INSERT INTO "api_calls" VALUES(8,'2026-11-21 01:54:29.786347','get_audio_transcription','VI779162722934063104','run-1','ok','0000',200,7.57299699944269377738e-03,0.0,0,73,0.0001);
INSERT INTO "api_calls" VALUES(9,'2026-11-21 01:54:29.784373','get_audio_transcription','VI779162722908897280','run-1','ok','0000',200,1.04746590004651807248e-02,0.0,0,302,0.0001);
INSERT INTO "api_calls" VALUES(10,'2026-11-21 01:54:29.808971','get_video_caption','VI779162722934063104','run-1','ok','0000',200,1.06348069984960602596e-02,0.0,0,333,0.0001);
INSERT INTO "api_calls" VALUES(11,'2026-11-21 01:54:29.806945','get_video_caption','VI779162722908897280','run-1','ok','0000',200,1.44240299996454268693e-02,0.0,0,330,0.0001);
INSERT INTO "api_calls" VALUES(12,'2026-11-21 01:54:29.835482','download','VI779162722934063104','run-1','ok',NULL,200,1.65866900006221840158e-02,0.0,57,2562,3.0744e-07);
INSERT INTO "api_calls" VALUES(13,'2026-11-21 01:54:29.837828','download_blob','mavi-keyframe/14c00b16-1732-5842-ae14-5d2a13f6b9da/keyframe-000001.jpg','run-1','ok',NULL,200,1.60082900001725647598e-02,0.0,0,1452,1.7424e-07);
INSERT INTO "api_calls" VALUES(14,'2026-11-21 01:54:29.833998','download','VI779162722908897280','run-1','ok',NULL,200,2.17800740010716253891e-02,0.0,57,3162,3.79439999999999961902e-07);
CREATE TABLE archive (
	kind VARCHAR(16) NOT NULL, 
	object_key TEXT NOT NULL, 
	video_no VARCHAR(64) NOT NULL, 
	day DATE NOT NULL, 
	bucket TEXT, 
	blob TEXT, 
	state VARCHAR(16) NOT NULL, 
	path TEXT, 
	size_bytes INTEGER, 
	sha256 VARCHAR(64), 
	proven_by VARCHAR(16), 
	archived_at DATETIME, 
	PRIMARY KEY (kind, object_key)
);
INSERT INTO "archive" VALUES('keyframe','mavi-keyframe/14c00b16-1732-5842-ae14-5d2a13f6b9da/keyframe-000001.jpg','VI779162722908897280','2026-11-20','mavi-keyframe','14c00b16-1732-5842-ae14-5d2a13f6b9da/keyframe-000001.jpg','archived','/srv/project/state/archive/keyframes/2026-11-20/VI779162722908897280/3bb42133020f36b984cba0387ec88c6f.jpg',1452,'ced7bdc6420db0c9ed0811287b486a4fcec409b2033a5a4935abbb5a6b280299','structure','2026-11-21 01:54:29.858214');
INSERT INTO "archive" VALUES('video','VI779162722934063104','VI779162722934063104','2026-11-20','mavi-resource','VI779162722934063104.mp4','archived','/srv/project/state/archive/videos/2026-11-20/VI779162722934063104.mp4',2562,'83a9089f0c903fd6cf1a91fbd50380ba0d86792e1f84c204f37d59a90e78e39e','sha256','2026-11-21 01:54:29.854104');
INSERT INTO "archive" VALUES('video','VI779162722908897280','VI779162722908897280','2026-11-20','mavi-resource','VI779162722908897280.mp4','archived','/srv/project/state/archive/videos/2026-11-20/VI779162722908897280.mp4',3162,'c68a19ac24661feb47e5f447a784b3e09697d78941fd83796919d9683a31219d','sha256','2026-11-21 01:54:29.858469');
CREATE TABLE contents (
	sha256 VARCHAR(64) NOT NULL, 
	day DATE NOT NULL, 
	uri TEXT NOT NULL, 
	name TEXT NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	container VARCHAR(64), 
	video_codec VARCHAR(32), 
	duration_seconds FLOAT, 
	width INTEGER, 
	height INTEGER, 
	fps FLOAT, 
	has_audio BOOLEAN, 
	captured_at DATETIME, 
	camera_model TEXT, 
	latitude FLOAT, 
	longitude FLOAT, 
	first_seen_at DATETIME NOT NULL, 
	PRIMARY KEY (sha256)
);
INSERT INTO "contents" VALUES('83a9089f0c903fd6cf1a91fbd50380ba0d86792e1f84c204f37d59a90e78e39e','2026-11-20','file:///srv/project/footage/blue.mp4','blue.mp4',2562,'mov,mp4,m4a,3gp,3g2,mj2','h264',3.0,160,120,5.0,0,'2026-01-02 03:04:05.000000',NULL,NULL,NULL,'2026-11-21 01:54:29.214601');
INSERT INTO "contents" VALUES('c68a19ac24661feb47e5f447a784b3e09697d78941fd83796919d9683a31219d','2026-11-20','file:///srv/project/footage/copy-of-red.mp4','copy-of-red.mp4',3162,'mov,mp4,m4a,3gp,3g2,mj2','h264',3.0,160,120,5.0,0,'2026-01-02 03:04:05.000000',NULL,NULL,NULL,'2026-11-21 01:54:29.224161');
CREATE TABLE coverage (
	query_set VARCHAR(64) NOT NULL, 
	query_id VARCHAR(64) NOT NULL, 
	query_version VARCHAR(64) NOT NULL, 
	video_no VARCHAR(64) NOT NULL, 
	day DATE NOT NULL, 
	hits INTEGER NOT NULL, 
	truncated BOOLEAN NOT NULL, 
	searched_at DATETIME NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	PRIMARY KEY (query_set, query_id, query_version, video_no)
);
INSERT INTO "coverage" VALUES('street','red','f7c701a49f7e69ab','VI779162722908897280','2026-11-20',1,0,'2026-11-21 01:54:29.717751','run-1');
INSERT INTO "coverage" VALUES('street','red','f7c701a49f7e69ab','VI779162722934063104','2026-11-20',0,0,'2026-11-21 01:54:29.717751','run-1');
INSERT INTO "coverage" VALUES('street','says','ded31cfcf14855e7','VI779162722908897280','2026-11-20',1,0,'2026-11-21 01:54:29.717751','run-1');
INSERT INTO "coverage" VALUES('street','says','ded31cfcf14855e7','VI779162722934063104','2026-11-20',0,0,'2026-11-21 01:54:29.717751','run-1');
INSERT INTO "coverage" VALUES('street','looks','51c3d5a897b4f052','VI779162722908897280','2026-11-20',1,0,'2026-11-21 01:54:29.717751','run-1');
INSERT INTO "coverage" VALUES('street','looks','51c3d5a897b4f052','VI779162722934063104','2026-11-20',0,0,'2026-11-21 01:54:29.717751','run-1');
INSERT INTO "coverage" VALUES('street','inside','efa4267be6902738','VI779162722908897280','2026-11-20',1,0,'2026-11-21 01:54:29.778811','run-1');
CREATE TABLE failures (
	step VARCHAR(32) NOT NULL, 
	subject TEXT NOT NULL, 
	day DATE, 
	reason TEXT NOT NULL, 
	failure_count INTEGER NOT NULL, 
	retryable BOOLEAN NOT NULL, 
	first_failed_at DATETIME NOT NULL, 
	last_failed_at DATETIME NOT NULL, 
	resolved_at DATETIME, 
	PRIMARY KEY (step, subject)
);
INSERT INTO "failures" VALUES('media','file:///srv/project/footage/notes.mp4','2026-11-20','it is no video but text. Remove it from the source or exclude it.',1,0,'2026-11-21 01:54:29.226014','2026-11-21 01:54:29.226014',NULL);
CREATE TABLE items (
	uri TEXT NOT NULL, 
	name TEXT NOT NULL, 
	day DATE NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reason TEXT, 
	size_bytes INTEGER NOT NULL, 
	modified_at DATETIME, 
	etag TEXT, 
	sha256 VARCHAR(64), 
	first_seen_at DATETIME NOT NULL, 
	changed_at DATETIME NOT NULL, 
	inspected_at DATETIME, 
	PRIMARY KEY (uri), 
	FOREIGN KEY(sha256) REFERENCES contents (sha256)
);
INSERT INTO "items" VALUES('file:///srv/project/footage/blue.mp4','blue.mp4','2026-11-20','accepted',NULL,2562,'2026-11-20 01:00:00.000000',NULL,'83a9089f0c903fd6cf1a91fbd50380ba0d86792e1f84c204f37d59a90e78e39e','2026-11-21 01:54:29.204367','2026-11-21 01:54:29.204367','2026-11-21 01:54:29.214601');
INSERT INTO "items" VALUES('file:///srv/project/footage/copy-of-red.mp4','copy-of-red.mp4','2026-11-20','accepted',NULL,3162,'2026-11-20 01:00:00.000000',NULL,'c68a19ac24661feb47e5f447a784b3e09697d78941fd83796919d9683a31219d','2026-11-21 01:54:29.204367','2026-11-21 01:54:29.204367','2026-11-21 01:54:29.224161');
INSERT INTO "items" VALUES('file:///srv/project/footage/notes.mp4','notes.mp4','2026-11-20','refused','it is no video but text. Remove it from the source or exclude it.',11,'2026-11-20 01:00:00.000000',NULL,NULL,'2026-11-21 01:54:29.204367','2026-11-21 01:54:29.204367','2026-11-21 01:54:29.226014');
INSERT INTO "items" VALUES('file:///srv/project/footage/red.mp4','red.mp4','2026-11-20','accepted',NULL,3162,'2026-11-20 01:00:00.000000',NULL,'c68a19ac24661feb47e5f447a784b3e09697d78941fd83796919d9683a31219d','2026-11-21 01:54:29.204367','2026-11-21 01:54:29.204367','2026-11-21 01:54:29.235074');
CREATE TABLE queries (
	query_set VARCHAR(64) NOT NULL, 
	query_id VARCHAR(64) NOT NULL, 
	query_version VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	asks TEXT NOT NULL, 
	definition JSON NOT NULL, 
	description TEXT, 
	first_seen_at DATETIME NOT NULL, 
	retired_at DATETIME, 
	PRIMARY KEY (query_set, query_id, query_version)
);
INSERT INTO "queries" VALUES('street','red','f7c701a49f7e69ab','text','red','{"filtering_level": "low", "in": "clips", "kind": "text", "text": "red"}',NULL,'2026-11-21 01:54:29.383495',NULL);
INSERT INTO "queries" VALUES('street','says','ded31cfcf14855e7','transcript','warranty','{"kind": "transcript", "transcript": "warranty"}',NULL,'2026-11-21 01:54:29.383495',NULL);
INSERT INTO "queries" VALUES('street','looks','51c3d5a897b4f052','image','red.png','{"image_sha256": "ae2bf21dff61f886866331d97e27a25bf60c2502e948d6ddce58754e51d82635", "kind": "image", "similarity": 0.7}',NULL,'2026-11-21 01:54:29.383495',NULL);
INSERT INTO "queries" VALUES('street','inside','efa4267be6902738','image_in_video','the red square','{"image_sha256": "ae2bf21dff61f886866331d97e27a25bf60c2502e948d6ddce58754e51d82635", "kind": "image_in_video", "prompt": "the red square", "within": {"query_version": "f7c701a49f7e69ab"}}',NULL,'2026-11-21 01:54:29.383495',NULL);
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	package_version VARCHAR(40) NOT NULL, 
	applied_at DATETIME NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1,'0.1.0','2026-11-21 01:54:29.201843');
CREATE TABLE transcriptions (
	video_no VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	day DATE NOT NULL, 
	segments INTEGER NOT NULL, 
	fetched_at DATETIME NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	PRIMARY KEY (video_no, kind)
);
INSERT INTO "transcriptions" VALUES('VI779162722908897280','transcripts','2026-11-20',1,'2026-11-21 01:54:29.798195','run-1');
INSERT INTO "transcriptions" VALUES('VI779162722934063104','transcripts','2026-11-20',0,'2026-11-21 01:54:29.798195','run-1');
INSERT INTO "transcriptions" VALUES('VI779162722908897280','captions','2026-11-20',1,'2026-11-21 01:54:29.822657','run-1');
INSERT INTO "transcriptions" VALUES('VI779162722934063104','captions','2026-11-20',1,'2026-11-21 01:54:29.822657','run-1');
CREATE TABLE uploads (
	sha256 VARCHAR(64) NOT NULL, 
	day DATE NOT NULL, 
	upload_name TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	lease_owner TEXT, 
	lease_expires_at DATETIME, 
	intended_at DATETIME, 
	attempted_at DATETIME, 
	uploaded_at DATETIME, 
	video_no VARCHAR(64), 
	adopted BOOLEAN NOT NULL, 
	reason TEXT, 
	PRIMARY KEY (sha256), 
	FOREIGN KEY(sha256) REFERENCES contents (sha256)
);
INSERT INTO "uploads" VALUES('83a9089f0c903fd6cf1a91fbd50380ba0d86792e1f84c204f37d59a90e78e39e','2026-11-20','blue-83a9089f0c903fd6.mp4','uploaded',1,NULL,NULL,'2026-11-21 01:54:29.271353','2026-11-21 01:54:29.271353','2026-11-21 01:54:29.321853','VI779162722934063104',0,NULL);
INSERT INTO "uploads" VALUES('c68a19ac24661feb47e5f447a784b3e09697d78941fd83796919d9683a31219d','2026-11-20','copy-of-red-c68a19ac24661feb.mp4','uploaded',1,NULL,NULL,'2026-11-21 01:54:29.271479','2026-11-21 01:54:29.271479','2026-11-21 01:54:29.303013','VI779162722908897280',0,NULL);
CREATE TABLE videos (
	video_no VARCHAR(64) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	day DATE NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	video_name TEXT, 
	raw_status VARCHAR(32), 
	cause TEXT, 
	duration_seconds FLOAT, 
	size_bytes INTEGER, 
	width INTEGER, 
	height INTEGER, 
	fps FLOAT, 
	tags JSON, 
	bucket TEXT, 
	blob TEXT, 
	created_at DATETIME, 
	uploaded_at DATETIME NOT NULL, 
	ready_at DATETIME, 
	polled_at DATETIME, 
	PRIMARY KEY (video_no), 
	FOREIGN KEY(sha256) REFERENCES contents (sha256)
);
INSERT INTO "videos" VALUES('VI779162722908897280','c68a19ac24661feb47e5f447a784b3e09697d78941fd83796919d9683a31219d','2026-11-20','ready','copy-of-red-c68a19ac24661feb','PARSE',NULL,3.0,3162,NULL,NULL,NULL,'["sha256:c68a19ac24661feb47e5f447a784b3e09697d78941fd83796919d9683a31219d", "day:2026-11-20"]','mavi-resource','VI779162722908897280.mp4','2026-11-21 01:54:29.284000','2026-11-21 01:54:29.303013','2026-11-21 01:54:29.378499','2026-11-21 01:54:29.378499');
INSERT INTO "videos" VALUES('VI779162722934063104','83a9089f0c903fd6cf1a91fbd50380ba0d86792e1f84c204f37d59a90e78e39e','2026-11-20','ready','blue-83a9089f0c903fd6','PARSE',NULL,3.0,2562,NULL,NULL,NULL,'["sha256:83a9089f0c903fd6cf1a91fbd50380ba0d86792e1f84c204f37d59a90e78e39e", "day:2026-11-20"]','mavi-resource','VI779162722934063104.mp4','2026-11-21 01:54:29.290000','2026-11-21 01:54:29.321853','2026-11-21 01:54:29.378499','2026-11-21 01:54:29.378499');
CREATE INDEX ix_contents_day ON contents (day);
CREATE INDEX coverage_by_set_and_day ON coverage (query_set, day);
CREATE INDEX ix_transcriptions_day ON transcriptions (day);
CREATE INDEX ix_archive_day ON archive (day);
CREATE INDEX ix_archive_video_no ON archive (video_no);
CREATE INDEX ix_api_calls_started_at ON api_calls (started_at);
CREATE INDEX ix_api_calls_run_id ON api_calls (run_id);
CREATE INDEX ix_items_state ON items (state);
CREATE INDEX ix_items_sha256 ON items (sha256);
CREATE INDEX ix_items_day ON items (day);
CREATE INDEX ix_uploads_state ON uploads (state);
CREATE INDEX ix_uploads_day ON uploads (day);
CREATE INDEX ix_videos_sha256 ON videos (sha256);
CREATE INDEX ix_videos_day ON videos (day);
CREATE INDEX ix_videos_state ON videos (state);
COMMIT;
