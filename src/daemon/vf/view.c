/* SPDX-License-Identifier: BSD-3-Clause */
/* Access to a VF, for the other rooms. */
#include "daemon/vf/vf-private.h"
#include "pci/vfio.h"

const struct us_reserved *us_host_vf_reserved(const struct us_host_vf *vf)
{
	return &vf->reserved;
}

struct us_sriov *us_host_vf_sriov(const struct us_host_vf *vf)
{
	return vf ? vf->sriov : NULL;
}

const char *us_host_vf_pf(const struct us_host_vf *vf)
{
	return us_host_vf_sriov(vf) && !vf->reserved.representor[0] ? vf->reserved.port : NULL;
}

bool us_host_vf_is_started(const struct us_host_vf *vf)
{
	return !us_host_vf_pf(vf) || us_vfio_is_started("/sys", vf->reserved.address);
}
