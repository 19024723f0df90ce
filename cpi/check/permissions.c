/* SPDX-License-Identifier: Apache-2.0 */
/* One line for each thing that the CPI does with EC2: whether the credentials may, and what to allow where they may not. */
#include <strings.h>
#include <string.h>

#include "cpi/check/dry_run.h"

#define LINE_MAX_BYTES ((size_t)8 * 1024)

/* What came of one feature's actions. */
struct tally {
	const struct feature *feature;
	const struct dry_run *runs;
	size_t count;
	size_t permitted;
	size_t denied;    /* that nothing makes up for */
	size_t open;      /* not known */
	size_t not_found; /* of these: because of the made-up ids */
	size_t not_tried;
	bool explicit_deny;
	bool denied_change;
};

static struct tally tally_of(const struct dry_run *runs, size_t count)
{
	struct tally tally = { .feature = runs->feature, .runs = runs, .count = count };

	for (size_t i = 0; i < count; i++) {
		const struct dry_run *run = &runs[i];
		tally.permitted += run->outcome == DRY_RUN_PERMITTED;
		tally.not_found += run->outcome == DRY_RUN_NOT_FOUND;
		tally.not_tried += run->outcome == DRY_RUN_NOT_TRIED;
		tally.open += run->outcome != DRY_RUN_PERMITTED && run->outcome != DRY_RUN_DENIED;
		if (run->outcome != DRY_RUN_DENIED || run->declared->can_do_without != NULL)
			continue;
		tally.denied++;
		tally.explicit_deny = tally.explicit_deny || run->explicit_deny;
		tally.denied_change = tally.denied_change || !run->declared->reads;
	}
	return tally;
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static void put_denied(struct buf *text, const struct tally *tally)
{
	const char *before = "denied: ";

	for (size_t i = 0; i < tally->count; i++) {
		const struct dry_run *run = &tally->runs[i];
		if (run->outcome != DRY_RUN_DENIED || run->declared->can_do_without != NULL)
			continue;
		buf_printf(text, "%sec2:%s", before, run->action->name);
		before = ", ";
	}
	if (tally->denied > 0)
		buf_str(text, "; ");
}

static void put_counts(struct buf *text, const struct tally *tally)
{
	/* of all that AWS was asked for, it permitted some and left the others open */
	bool none_denied = tally->permitted + tally->open == tally->count && tally->not_tried == 0;

	if (tally->permitted < tally->count)
		buf_printf(text, "%zu of %zu permitted%s", tally->permitted, tally->count, none_denied ? ", none denied" : "");
	else if (tally->count > 1)
		buf_printf(text, "all %zu permitted", tally->count);
	else
		buf_printf(text, "ec2:%s permitted", tally->runs->action->name);
}

static void put_open(struct buf *text, const struct tally *tally)
{
	const char *before = "; not certain: ";

	for (size_t i = 0; i < tally->count; i++) {
		const struct dry_run *run = &tally->runs[i];
		if (run->outcome == DRY_RUN_PERMITTED || run->outcome == DRY_RUN_DENIED)
			continue;
		buf_printf(text, "%sec2:%s (%s)", before, run->action->name,
			   run->outcome == DRY_RUN_NOT_TRIED ? "not tried" : run->code);
		before = ", ";
	}
}

static void put_rest(struct buf *text, const struct tally *tally)
{
	for (size_t i = 0; i < tally->count; i++) {
		const struct dry_run *run = &tally->runs[i];
		if (run->outcome == DRY_RUN_DENIED && run->declared->can_do_without != NULL)
			buf_printf(text, "; ec2:%s is denied: %s", run->action->name, run->declared->can_do_without);
	}
	if (tally->feature->untried != NULL)
		buf_printf(text, "; not tried: %s", tally->feature->untried);
}

/* --- advice ------------------------------------------------------------------------------------------------------- */

static bool was_named_before(const struct tally *tally, size_t number)
{
	for (size_t i = 0; i < number; i++) {
		const struct dry_run *run = &tally->runs[i];
		if (run->outcome == DRY_RUN_DENIED && strcmp(run->permission, tally->runs[number].permission) == 0)
			return true;
	}
	return false;
}

/* "iam:PassRole on its role": whether AWS has said so itself. */
static bool is_named(const struct tally *tally, const char *allow)
{
	for (size_t i = 0; i < tally->count; i++) {
		const struct dry_run *run = &tally->runs[i];
		if (run->outcome == DRY_RUN_DENIED && strncmp(allow, run->permission, strlen(run->permission)) == 0)
			return true;
	}
	return false;
}

static void put_allow(struct buf *advice, const struct tally *tally)
{
	const char *before = "allow ";

	for (size_t i = 0; i < tally->count; i++) {
		const struct dry_run *run = &tally->runs[i];
		if (run->outcome != DRY_RUN_DENIED || run->declared->can_do_without != NULL || was_named_before(tally, i))
			continue;
		buf_printf(advice, "%s%s", before, run->permission);
		before = ", ";
	}
	buf_str(advice, " on *");
	if (tally->feature->allow != NULL && !is_named(tally, tally->feature->allow))
		buf_printf(advice, ", and %s", tally->feature->allow);
	if (tally->feature->used_by != NULL)
		buf_printf(advice, " (needed for %s)", tally->feature->used_by);
	buf_printf(advice, "; `cpi policy` prints it as part of the feature %s", aws_features[tally->feature->id].name);
	if (tally->explicit_deny)
		buf_str(advice, "; AWS speaks of an explicit deny: it has to go from the policy, the permissions boundary or "
				"the service control policy where it stands");
	if (tally->denied_change)
		buf_str(advice, "; a policy that allows it for certain resources or tags alone refuses a dry run with made-up "
				"ids as well");
}

static const char *open_advice(const struct tally *tally)
{
	if (tally->not_tried > 0)
		return "changing calls are tried only after AWS has answered a reading one as a dry run: allow those that are "
		       "denied first, then check again";
	if (tally->not_found == tally->open)
		return "nothing, unless such a call is denied later: AWS looked for the dry run's made-up ids first";
	return "see AWS's code, and try again; with CPI_LOG_LEVEL=debug the log says more";
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* AWS looks up the profile's name before anything else. */
static bool has_wrong_profile(const struct tally *tally)
{
	const struct dry_run *run = tally->runs;

	return run->outcome == DRY_RUN_UNCLEAR && feature_action_names_profile(run->action) && run->message != NULL &&
	       strcasestr(run->message, "instance profile") != NULL;
}

static void tell(struct check *check, const struct tally *tally)
{
	CLEANUP_BUF struct buf text = BUF_INIT(LINE_MAX_BYTES);
	CLEANUP_BUF struct buf advice = BUF_INIT(LINE_MAX_BYTES);
	struct finding finding = { .name = tally->feature->name, .state = FINDING_OK };

	if (has_wrong_profile(tally)) {
		findings_failed(check->findings, finding.name,
				"correct aws.default_iam_instance_profile, or make that instance profile", "%s",
				tally->runs->message);
		return;
	}
	put_denied(&text, tally);
	put_counts(&text, tally);
	put_open(&text, tally);
	put_rest(&text, tally);
	if (tally->denied > 0) {
		finding.state = FINDING_FAILED;
		put_allow(&advice, tally);
	} else if (tally->open > 0) {
		finding.state = FINDING_UNKNOWN;
		buf_str(&advice, open_advice(tally));
	}
	if (text.failed || advice.failed) {
		check->findings->incomplete = true;
		return;
	}
	finding.text = buf_text(&text);
	finding.advice = advice.len > 0 ? buf_text(&advice) : NULL;
	findings_add(check->findings, &finding);
}

static void tell_carried_out(struct check *check, const struct dry_run *run)
{
	if (run->declared->reads)
		findings_unknown(check->findings, "permissions",
				 "check that the endpoint is AWS's; with another one only real calls can tell",
				 "this endpoint carried out a dry run of %s: it does not know dry runs, and no more of them "
				 "were sent",
				 run->action->name);
	else
		findings_failed(check->findings, "permissions",
				"the endpoint is not AWS's: look there for what the call has made, and do without this check",
				"this endpoint carried out a dry run of %s", run->action->name);
}

static const struct dry_run *find_carried_out(const struct dry_run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (runs[i].outcome == DRY_RUN_CARRIED_OUT)
			return &runs[i];
	}
	return NULL;
}

void check_permissions(struct check *check)
{
	struct dry_run *runs;
	struct error why;
	size_t count;

	if (dry_run_all(check, &runs, &count, &why) != 0) {
		findings_unknown(check->findings, "permissions", "try again", "%s", why.message);
		return;
	}
	const struct dry_run *carried_out = find_carried_out(runs, count);
	if (carried_out != NULL) {
		tell_carried_out(check, carried_out);
		return;
	}
	for (size_t first = 0, next; first < count; first = next) {
		for (next = first; next < count && runs[next].feature == runs[first].feature;)
			next++;
		struct tally tally = tally_of(&runs[first], next - first);
		tell(check, &tally);
	}
}
