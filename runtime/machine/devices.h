/*
 * PCI devices by bus id, and the nodes near them. A plan's topology holds none, so they are looked up where it came from: /sys of this
 * machine or of a copy (fsroot), or the XML file.
 * Threading: any; plans are immutable, and each call reads anew.
 */
#ifndef WF_MACHINE_DEVICES_H
#define WF_MACHINE_DEVICES_H

#include <stdbool.h>

#include "weft/plan.h"

/*
 * near[k], of as many as the plan has nodes, becomes whether node k is nearest to the device; at least one is. *reason: "", or why none of
 * them is near in truth: all are called near where the device's place is not known, and where no worker is at its node, those
 * that are least far. Static.
 * WEFT_EINVAL: no bus id, or no such device (the text says where it was looked for); WEFT_ENOMEM; WEFT_ETOPOLOGY: the XML file has gone.
 */
weft_status wf_device_nodes(const weft_plan *plan, const char *bus_id, bool *near, const char **reason);

#endif
