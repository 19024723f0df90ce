# SPDX-License-Identifier: Apache-2.0
"""A local EC2 over moto whose volumes are real block devices. README.md says how to use it."""
