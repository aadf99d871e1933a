/*
 * Topology files before hwloc sees them. hwloc trusts what it reads: object sets that contradict each other, missing nodes or
 * counts that overflow make it crash, leak or print (tests/fuzz/README.md has the list). So a file is read here, checked, and
 * written anew with nothing in it but what was checked and what plans need.
 * Threading: any thread.
 */
#ifndef WF_MACHINE_XML_H
#define WF_MACHINE_XML_H

#include <stddef.h>

#include "weft/status.h"

/*
 * Read the file and check it. *text is what hwloc may have, 0-terminated, *bytes its length with the 0; free() it.
 * WEFT_ETOPOLOGY: no such file, not regular, too large, or not a topology of version 2 that is consistent; WEFT_ENOMEM.
 */
weft_status wf_xml_load(const char *path, char **text, size_t *bytes);

/* The file unchecked, as wf_file_read(). The errors are those above. */
weft_status wf_xml_read(const char *path, char **text, size_t *bytes);

#endif
