# SPDX-License-Identifier: Apache-2.0
"""EC2's refusals, in its words where they are known."""
from moto.ec2.exceptions import EC2ClientError


def refuse(code, message):
    return EC2ClientError(code, message)


def invalid(message):
    return EC2ClientError("InvalidParameterValue", message)


def combination(message):
    return EC2ClientError("InvalidParameterCombination", message)


def missing(name):
    return EC2ClientError("MissingParameter", f"The request must contain the parameter {name}")


def incorrect_state(message):
    return EC2ClientError("IncorrectState", message)
