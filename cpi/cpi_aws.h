/* SPDX-License-Identifier: Apache-2.0 */
/* libcpi_aws: the worker actions of the AWS CPI for a program of your own. JSON texts in and out.
 *
 * Ownership: what a function takes stays the caller's, and is not looked at after the call. Every char * that a function gives
 * is the caller's, who hands it to cpi_aws_free. A const char * lives as long as the library is loaded.
 *
 * Threads: any function may be called from any number of threads at the same time, also with different settings and regions.
 * Nothing is kept between two calls; each reads its configuration, finds its credentials and makes its connections anew. A
 * call returns when its work is done or has failed; it cannot be cut short, and its thread must not be cancelled meanwhile
 * (pthread_cancel) or leave it by longjmp. Its thread needs a stack of 256 KiB.
 *
 * Never done: nothing is written to standard output or standard error, the process is not ended, no signal handler is
 * installed or changed, no locale, directory, umask or environment variable is set. SIGPIPE is blocked in the calling thread
 * while it is in cpi_aws_execute, and one that came of a connection is taken away before the mask is as it was. When a call returns,
 * its descriptors are closed (close-on-exec as long as they are ours to open), its threads and child processes have ended.
 *
 * Of the process it reads the environment (AWS_…, HOME, proxies, AWS_CPI_STATE_DIR): no other thread may change that meanwhile
 * (setenv). It uses files as the command line does: ~/.aws, the configuration that is named, and the state directory, where a
 * creating call leaves a journal while it lasts. A credential_process of a profile is a child process: a host that ignores
 * SIGCHLD, or waits for all children, takes its exit status away, and then there are no credentials. What it writes to standard
 * error is dropped.
 *
 * fork: a child that is made while a call runs in another thread may only exec or _exit. One that is made while none runs may
 * use the library.
 *
 * dlclose is for when no call runs. It gives everything back but what OpenSSL's libcrypto keeps for itself: that stays mapped.
 * libcurl's own set-up is made by the first call that speaks to a server, once for a loaded copy of this library. libcurl before 7.84
 * cannot do that beside another user of it in the same process: such a host calls curl_global_init itself before it has threads.
 */
#ifndef CPI_AWS_H
#define CPI_AWS_H

/* The version of the interface that this header describes. A library whose SONAME ends in the same number has all of it. */
#define CPI_AWS_VERSION_MAJOR 0
#define CPI_AWS_VERSION_MINOR 1
#define CPI_AWS_VERSION_PATCH 0
#define CPI_AWS_VERSION "0.1.0"

#if defined(__GNUC__)
#define CPI_AWS_API __attribute__((visibility("default")))
#else
#define CPI_AWS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The library's own version, "0.1.0"; its provider's name, "ec2"; and type, "cloud". */
CPI_AWS_API const char *cpi_aws_version(void);
CPI_AWS_API const char *cpi_aws_name(void);
CPI_AWS_API const char *cpi_aws_provider_type(void);

/* What actions take where a parameter is left out, as a JSON object:
 * {"region":"us-east-1","instance_type":"t2.micro","volume_type":"gp2"}. NULL: out of memory. */
CPI_AWS_API char *cpi_aws_default_settings(void);

/* The names of all actions, as a JSON array of strings. NULL: out of memory. */
CPI_AWS_API char *cpi_aws_list_actions(void);

/* {"name", "description", "parameters": [{"name", "description", "type": "string" or "integer", "required": true or false,
 * "default": a string or null}]}. NULL: there is no such action, or out of memory. */
CPI_AWS_API char *cpi_aws_action_definition(const char *action);

/* Does it.
 *
 * settings: NULL, or a JSON object with any of
 *   "config"   the path of a cpi.json, or
 *   "cloud"    what stands under "cloud" in one: {"properties":{"aws":{…}}};
 *   "region"   before the configuration's; a parameter "region" goes before this;
 *   "profile"  of ~/.aws: credentials are this profile's, whatever configuration and environment hold.
 * Without configuration, region and credentials come from where AWS's tools take them.
 * parameters: NULL, or a JSON object with the action's parameters. Each of the two has at most 8 MiB; null as a member's value
 * is as good as none.
 *
 * The answer is one JSON object: {"success":true, …}, or
 *   {"success":false,"error":{"type","message","ok_to_retry"}}
 * and, where AWS has refused, "error" also has "aws":{"code","message","request_id","action"}. ok_to_retry: the same call may succeed
 * later. What is wrong with settings, action or parameters is such an answer, too.
 *
 * What an action that fails has created is removed before this returns; what could not be removed is named in the message.
 * NULL: there was not even memory for an error's answer; nothing has been left behind then, unless it could not be removed. */
CPI_AWS_API char *cpi_aws_execute(const char *settings, const char *action, const char *parameters);

/* Of any text from above. NULL is fine. */
CPI_AWS_API void cpi_aws_free(char *text);

#ifdef __cplusplus
}
#endif

#endif
