# SPDX-License-Identifier: Apache-2.0
"""A manifest for `bosh create-env` as operators write it for the Ruby CPI, and the stemcells that it names. Nothing in it knows which CPI
the release holds."""
import hashlib
import os
import subprocess

MANIFEST = """\
---
name: director

releases:
- name: bosh-aws-cpi
  version: ((release_version))
  url: file://((release))
  sha1: ((release_digest))

resource_pools:
- name: vms
  network: default
  stemcell:
    url: file://((stemcell))
    sha1: ((stemcell_digest))
  cloud_properties:
    instance_type: t3.medium
    availability_zone: ((az))
    ephemeral_disk:
      size: 25000
      type: gp3
  env:
    bosh:
      password: '*'
      mbus:
        cert: ((mbus_tls))

disk_pools:
- name: disks
  disk_size: 4096
  cloud_properties:
    type: gp3

networks:
- name: default
  type: manual
  subnets:
  - range: 10.0.0.0/24
    gateway: 10.0.0.1
    dns: [10.0.0.2]
    cloud_properties:
      subnet: ((subnet_id))

instance_groups:
- name: bosh
  instances: 1
  jobs:
  - name: aws_cpi
    release: bosh-aws-cpi
  resource_pool: vms
  persistent_disk_pool: disks
  networks:
  - name: default
    static_ips: [((internal_ip))]
  properties:
    agent:
      mbus: nats://((internal_ip)):4222
    aws: &aws
      access_key_id: ((access_key_id))
      secret_access_key: ((secret_access_key))
      default_key_name: ((default_key_name))
      default_security_groups: [((default_security_group))]
      region: ((region))
      ec2_endpoint: ((aws_endpoint))
      elb_endpoint: ((aws_endpoint))
      connection_options:
        ca_cert: ((aws_tls.ca))
    ntp: &ntp [time1.google.com, time2.google.com]

cloud_provider:
  template:
    name: aws_cpi
    release: bosh-aws-cpi
  mbus: https://mbus:((mbus_password))@((internal_ip)):6868
  cert: ((mbus_tls))
  properties:
    agent:
      mbus: https://mbus:((mbus_password))@0.0.0.0:6868
    aws: *aws
    blobstore:
      provider: local
      path: /var/vcap/micro_bosh/data/cache
    ntp: *ntp

variables:
- name: mbus_password
  type: password
- name: test_ca
  type: certificate
  options: {is_ca: true, common_name: ca}
- name: mbus_tls
  type: certificate
  options:
    ca: test_ca
    common_name: ((internal_ip))
    alternative_names: [((internal_ip))]
- name: aws_tls
  type: certificate
  options:
    ca: test_ca
    common_name: 127.0.0.1
    alternative_names: [127.0.0.1]
"""

STEMCELL = """\
name: {name}
version: "{version}"
bosh_protocol: 1
api_version: 3
sha1: {sha1}
operating_system: ubuntu-lab
stemcell_formats:
- aws-light
cloud_properties:
  name: {name}
  version: "{version}"
  infrastructure: aws
  hypervisor: xen
  disk: 1024
  disk_format: raw
  container_format: bare
  os_type: linux
  os_distro: ubuntu
  architecture: x86_64
  root_device_name: /dev/sda1
  ami:
    {region}: {ami}
"""


def digest_of(path):
    """As manifests state it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return "sha256:" + digest.hexdigest()


def _pack(folder, tarball):
    subprocess.run(["tar", "-C", folder, "-czf", tarball, "stemcell.MF", "image"], check=True)
    return tarball


def heavy_stemcell(make_stemcell, folder):
    """A stemcell tarball with a disk in it, and the disk."""
    subprocess.run([make_stemcell, "--size", "128", "--payload", "40", "--out", folder, "--keep-root"], check=True, stdout=subprocess.DEVNULL)
    facts = os.path.join(folder, "stemcell.MF")
    with open(facts, encoding="utf-8") as file:
        text = file.read()
    # a volume is of whole GiB
    with open(facts, "w", encoding="utf-8") as file:
        file.write(text.replace("disk: 128\n", "disk: 1024\n"))
    return _pack(folder, os.path.join(folder, "stemcell.tgz")), os.path.join(folder, "root.img")


def light_stemcell(folder, region, ami):
    """A stemcell tarball that names an AMI; its image is empty."""
    os.makedirs(folder)
    with open(os.path.join(folder, "image"), "wb"):
        pass
    with open(os.path.join(folder, "stemcell.MF"), "w", encoding="utf-8") as file:
        file.write(STEMCELL.format(name="bosh-aws-xen-hvm-ubuntu-lab", version="2.0", sha1=hashlib.sha1(b"").hexdigest(), region=region, ami=ami))
    return _pack(folder, os.path.join(folder, "light-stemcell.tgz"))
