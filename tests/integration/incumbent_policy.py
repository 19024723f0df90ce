# SPDX-License-Identifier: Apache-2.0
"""The actions that the incumbent's published policy allows, by its statements. Source: docs/iam-policy.json of
github.com/cloudfoundry/bosh-aws-cpi-release. The tests run under it, but for those of what only we do (beyond_incumbent).
"""

STATEMENTS = {
    "BaselinePolicy": "ec2: AttachVolume CreateTags CreateVolume DeleteVolume DescribeAvailabilityZones DescribeImages "
                      "DescribeInstances DescribeInstanceTypes DescribeRegions DescribeSecurityGroups DescribeSubnets "
                      "DescribeVolumes DetachVolume RebootInstances RunInstances TerminateInstances CreateNetworkInterface "
                      "DeleteNetworkInterface DescribeNetworkInterfaces ModifyNetworkInterfaceAttribute",
    "RequiredIfUsingHeavyStemcells": "ec2: RegisterImage DeregisterImage",
    "RequiredIfEncryptingStemcells": "ec2: CopyImage",
    "RequiredIfUsingCustomKMSKeys": "kms: ReEncrypt* GenerateDataKey* CreateGrant DescribeKey*",
    "RequiredIfUsingSnapshotsFeature": "ec2: CreateSnapshot DeleteSnapshot DescribeSnapshots",
    "RequiredIfUsingElasticIPs": "ec2: AssociateAddress DescribeAddresses",
    "RequiredIfUsingSourceDestCheckCloudProperties": "ec2: ModifyInstanceAttribute",
    "RequiredIfUsingELBCloudProperties": "elasticloadbalancing: DescribeLoadBalancers RegisterInstancesWithLoadBalancer",
    "RequiredIfUsingLBTargetGroupCloudProperties": "elasticloadbalancing: DescribeLoadBalancers DescribeTargetGroups "
                                                   "DescribeTargetHealth RegisterTargets",
    "RequiredIfUsingAdvertisedRoutesCloudProperties": "ec2: CreateRoute DescribeRouteTables ReplaceRoute",
    "RequiredIfUsingIAMInstanceProfileCloudProperty": "iam: PassRole",
    "RequiredIfCPIResizeDiskEnabled": "ec2: DescribeVolumesModifications ModifyVolume",
}

# whose credentials take a role has this from elsewhere: that policy is the role's
ROLE = {"sts:AssumeRole"}

INCUMBENT = ROLE | {f"{service}:{name}" for service, _, names in (s.partition(": ") for s in STATEMENTS.values())
                    for name in names.split()}
