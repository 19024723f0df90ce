# SPDX-License-Identifier: Apache-2.0
"""Who may do what: refusals on demand, the encoded messages that EC2 puts into its refusals and STS decodes, and dry runs
of those actions in which moto does not look at DryRun.

A refusal comes after the signature has been checked, as AWS does it, and by policy (moto's, or the one that tests set: policy.py)
or by a fault rule of the kind `deny`.
"""
import base64
import json
import secrets
import types

from flask import request
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import AccessDeniedError
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.ec2.exceptions import DryRunClientError
from moto.ec2.responses._base_response import EC2BaseResponse
from moto.sts.exceptions import STSClientError
from moto.sts.responses import TokenResponse

MARK = "Encoded authorization failure message: "


def install(lab):
    """Puts fault rules behind moto's permissions, and DecodeAuthorizationMessage beside its actions."""
    authorize = ActionAuthenticatorMixin._authenticate_and_authorize_action

    def authenticate(self, iam_request_cls, resource="*"):
        authorize(self, iam_request_cls, resource)
        if request.environ.get("lab.denied") and self._get_action() != "GetCallerIdentity":  # that is anyone's
            action = f"{self.service_name}:{self._get_action()}"
            raise AccessDeniedError(lab.sessions.arn_of(self.get_access_key()), action)

    def decode(self):
        told = lab.denied.get(self._get_param("EncodedMessage"))
        if told is None:
            raise STSClientError("InvalidAuthorizationMessageException", "Message is not valid")
        return ActionResult({"DecodedMessage": told})

    ActionAuthenticatorMixin._authenticate_and_authorize_action = authenticate
    TokenResponse.decode_authorization_message = decode
    _dry_runs()


def refused(lab, call):
    """The message of EC2's refusal of a call that is not permitted; of one that changes something, with the reasons encoded."""
    arn = lab.sessions.arn_of(call.access_key_id)
    action = call.denied if isinstance(call.denied, str) else f"ec2:{call.action}"
    text = f"You are not authorized to perform this operation. User: {arn} is not authorized to perform: {action}"
    if call.action.startswith(("Describe", "Get")):
        return f"{text} because no identity-based policy allows the {action} action"
    resource = f"arn:aws:ec2:{call.region}:{lab.sessions.account}:*"
    encoded = base64.urlsafe_b64encode(secrets.token_bytes(300)).decode()
    lab.denied[encoded] = json.dumps({
        "allowed": False, "explicitDeny": False, "matchedStatements": {"items": []}, "failures": {"items": []},
        "context": {"principal": {"arn": arn}, "action": action, "resource": resource,
                    "conditions": {"items": [{"key": "ec2:Region", "values": {"items": [{"value": call.region}]}}]}}})
    return f"{text} on resource: {resource} because no identity-based policy allows the {action} action. {MARK}{encoded}"


# Dry runs. A handler that looks at DryRun does so once it has read its parameters, so that their errors come first. Where none
# does, the answer is given once the call is permitted. What only describes is in the gateway.

def _dry_runs():
    call_action = EC2BaseResponse.call_action

    def checked(self):
        name = camelcase_to_underscores(self._get_action())
        handler = getattr(type(self), name, None)
        if self._get_param("DryRun", False) and handler is not None and not _looks(handler) and \
                not name.startswith(("describe_", "get_")):
            setattr(self, name, _only_dry)
        return call_action(self)

    EC2BaseResponse.call_action = checked


def _only_dry():
    raise DryRunClientError()


def _looks(function, deep=2):
    """Whether a function, or one of ours that it calls, asks for DryRun."""
    if "error_on_dryrun" in function.__code__.co_names:
        return True
    called = [c.cell_contents for c in function.__closure__ or ()]
    called += [function.__globals__.get(name) for name in function.__code__.co_names]
    return deep > 0 and any(_looks(each, deep - 1) for each in called if isinstance(each, types.FunctionType))
