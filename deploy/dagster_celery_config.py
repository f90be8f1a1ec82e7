"""What Celery's workers read, by this name and from PYTHONPATH; the launcher's half of it is in dagster.yaml."""

import os

broker_url = os.environ["DAGSTER_CELERY_BROKER_URL"]
result_backend = os.environ["DAGSTER_CELERY_BACKEND_URL"]
broker_connection_retry_on_startup = True
task_acks_late = False
worker_prefetch_multiplier = 1
# A process of its own for each run: its memory goes with it, and the next one reads the saved queries anew.
worker_max_tasks_per_child = 1
