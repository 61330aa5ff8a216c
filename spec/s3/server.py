"""Serves S3 on a free port of loopback, for requests that are signed with the keys that it prints. Ends with its input."""

import json
import os
import sys
import threading

from moto import settings
from moto.iam.models import iam_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

users = iam_backends["123456789012"]["aws"]
users.create_user("us-east-1", "specs")
everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
users.put_user_policy("specs", "all", json.dumps({"Version": "2012-10-17", "Statement": [everything]}))
key = users.create_access_key("specs")
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
keys = {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret_access_key}
print(json.dumps({"port": server.server_port, "credentials": keys}), flush=True)


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
server.serve_forever()
