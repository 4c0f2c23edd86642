/* SPDX-License-Identifier: BSD-3-Clause */
/* The VF of a pair: a plug that waits for the thread which opens the group of a hidden primary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "daemon/vf/vf-private.h"
#include "understudy/pair.h"
#include "util/cleanup.h"

struct bed {
	sd_event *loop;
	struct us_vfs *vfs;
	struct us_host_vf *vf;
	struct us_pair engine;
	unsigned retries;
};

static void on_reserved(void *userdata, int r, struct us_reason *reason)
{
}

static void on_retry_plug(void *userdata)
{
	((struct bed *)userdata)->retries++;
}

static void on_group_in_use(void *userdata, const char *reason)
{
}

static void step(struct bed *bed, struct us_event event)
{
	struct us_effects effects;

	us_pair_step(&bed->engine, &event, &effects);
}

/* The primary is hidden and reserved; the thread that opens its group has not been heard of. */
static void begin(struct bed *bed)
{
	static const struct us_host_vf_handler handler = { .reserved = on_reserved,
							   .retry_plug = on_retry_plug,
							   .group_in_use = on_group_in_use };
	static const uint8_t mac[US_MAC_BYTES] = { 2, 0, 0, 0, 0, 1 };
	struct us_pair_config config;
	struct us_host_vf_config vf_config = { .pair = "web0",
					       .mac = mac,
					       .engine = &bed->engine,
					       .handler = &handler,
					       .userdata = bed };

	us_pair_config_default(&config);
	us_pair_init(&bed->engine, &config);
	step(bed, (struct us_event){ .type = US_EVENT_VM, .vm = US_VM_RUNNING });
	step(bed, (struct us_event){ .type = US_EVENT_ASSIGN });
	step(bed, (struct us_event){ .type = US_EVENT_OBSERVED });
	step(bed, (struct us_event){ .type = US_EVENT_RESERVED, .on = true });
	assert_int_equal(us_pair_primary(&bed->engine), US_PRIMARY_HIDDEN);

	assert_true(sd_event_new(&bed->loop) >= 0);
	assert_int_equal(us_vfs_new(&bed->vfs, &(struct us_vfs_config){ .loop = bed->loop }), 0);
	assert_int_equal(us_host_vf_new(&bed->vf, bed->vfs, &vf_config), 0);
	snprintf(bed->vf->reserved.address, sizeof(bed->vf->reserved.address), "ffff:ff:1f.7");
	us_host_vf_keep_group(bed->vf);
	assert_non_null(bed->vf->job);
}

static void end(struct bed *bed)
{
	while (bed->vf->job)
		assert_true(sd_event_run(bed->loop, UINT64_MAX) >= 0);
	us_host_vf_detach(bed->vf);
	us_vfs_free(bed->vfs);
	sd_event_unref(bed->loop);
}

static void test_plug_after_the_group(void **state)
{
	struct bed bed = { .retries = 0 };
	struct us_reason reason;

	begin(&bed);
	assert_int_equal(us_host_vf_prepare_plug(bed.vf, &reason), US_HOST_VF_LATER);
	end(&bed);
	assert_int_equal(bed.retries, 1);
}

/* The engine would wait for the answer to this plug without end. */
static void test_cancelled_plug_is_owed_an_answer(void **state)
{
	struct bed bed = { .retries = 0 };
	struct us_reason reason;

	begin(&bed);
	assert_int_equal(us_host_vf_prepare_plug(bed.vf, &reason), US_HOST_VF_LATER);
	assert_true(us_host_vf_cancel_plug(bed.vf));
	assert_false(us_host_vf_cancel_plug(bed.vf));
	end(&bed);
	assert_int_equal(bed.retries, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plug_after_the_group),
		cmocka_unit_test(test_cancelled_plug_is_owed_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
