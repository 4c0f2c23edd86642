/* SPDX-License-Identifier: BSD-3-Clause */
/* The VFs of this host: construction and destruction. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/vf/vf-private.h"

int us_vfs_new(struct us_vfs **ret_vfs, const struct us_vfs_config *config)
{
	struct us_vfs *vfs = calloc(1, sizeof(*vfs));
	int r;

	if (!vfs)
		return -ENOMEM;
	vfs->config = *config;
	us_list_init(&vfs->vfs);
	us_list_init(&vfs->jobs);
	us_list_init(&vfs->orphans);
	us_list_init(&vfs->neighbourhoods);
	r = us_orphans_init(vfs);
	if (r >= 0)
		r = us_neighbourhood_init(vfs);
	if (r < 0) {
		us_vfs_free(vfs);
		return r;
	}
	*ret_vfs = vfs;
	return 0;
}

void us_vfs_set_handler(struct us_vfs *vfs, const struct us_vfs_handler *handler, void *userdata)
{
	vfs->handler = handler;
	vfs->userdata = userdata;
}

void us_vfs_free(struct us_vfs *vfs)
{
	if (!vfs)
		return;
	us_neighbourhood_deinit(vfs);
	us_orphans_deinit(vfs);
	free(vfs);
}
