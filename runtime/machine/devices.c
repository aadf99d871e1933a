/* From a bus id to the CPUs near the device, and from these to nodes. */
#include "machine/devices.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "machine/plan.h"
#include "machine/xml.h"
#include "machine/xml_reader.h"

#define UNKNOWN_PLACE "the system does not say where the device is: its pages are partitioned over all nodes"
#define NO_WORKERS_NEAR "no worker is on the device's node: its pages are on the nearest nodes that have some"
#define DEPTH_MOST 128
#define SET_BYTES_MOST 20000 /* as long as the largest set that plans take */

struct device {
    unsigned domain, bus, slot, function;
};

/* Hexadecimal digits at *at, at most `most`, which moves behind them and the character that has to follow. */
static bool read_hex(const char **at, size_t most, char follows, unsigned *value) {
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t count = strspn(*at, digits);
    if (!count || count > most || (*at)[count] != follows)
        return false;
    *value = (unsigned)strtoul(*at, NULL, 16);
    *at += count + (follows != 0);
    return true;
}

/* "0000:3b:00.0" as the kernel writes it, or without the domain, which is 0 then. */
static bool read_bus_id(const char *text, size_t length, struct device *device) {
    char copy[24];
    const char *at = copy;
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    *device = (struct device){0};
    const char *first = strchr(copy, ':');
    bool whole = first && strchr(first + 1, ':');
    return (!whole || read_hex(&at, 8, ':', &device->domain)) && read_hex(&at, 2, ':', &device->bus) &&
           read_hex(&at, 2, '.', &device->slot) && read_hex(&at, 1, 0, &device->function) && device->slot < 32 &&
           device->function < 8;
}

static bool same_device(const struct device *a, const struct device *b) {
    return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot && a->function == b->function;
}

/* First line of a file of the device, without its end; false: it cannot be read. */
static bool read_line(const char *folder, const char *name, char *line, size_t room) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
    bool got = file && fgets(line, (int)room, file);
    if (file)
        fclose(file);
    if (got)
        line[strcspn(line, "\n")] = 0;
    return got;
}

/* CPUs of a node of the plan's topology, by OS index, or those nearest to it where it has none. */
static void add_node(const struct weft_plan *plan, int os_node, hwloc_bitmap_t cpus) {
    for (unsigned i = 0; i < plan->homes.numa_count; i++)
        if (plan->homes.numas[i].object->os_index == (unsigned)os_node)
            hwloc_bitmap_or(cpus, cpus, plan->homes.numas[i].object->cpuset);
    for (unsigned i = 0; i < plan->memory_node_count && hwloc_bitmap_iszero(cpus); i++)
        for (unsigned n = 0; plan->memory_nodes[i].os_index == os_node && n < plan->memory_nodes[i].nearest_count; n++)
            for (unsigned k = 0; k < plan->node_count; k++)
                if (plan->node_os_indexes[k] == plan->memory_nodes[i].nearest[n])
                    hwloc_bitmap_or(cpus, cpus, plan->node_homes[k]->pus);
}

/* numa_node says -1 where the firmware does not say; local_cpulist then lists every CPU. */
static weft_status look_in_sys(const struct weft_plan *plan, const struct device *device, hwloc_bitmap_t cpus) {
    char folder[PATH_MAX], line[4096];
    const char *root = plan->topology->fsroot ? plan->topology->fsroot : "";
    snprintf(folder, sizeof folder, "%s/sys/bus/pci/devices/%04x:%02x:%02x.%x", root, device->domain, device->bus, device->slot,
             device->function);
    if (access(folder, F_OK))
        return wf_fail(WEFT_EINVAL, "no PCI device %04x:%02x:%02x.%x: there is no \"%s\" (lspci -D lists the devices there are)",
                       device->domain, device->bus, device->slot, device->function, folder);
    int os_node = read_line(folder, "numa_node", line, sizeof line) ? atoi(line) : -1;
    if (os_node >= 0)
        add_node(plan, os_node, cpus);
    else if (!read_line(folder, "local_cpulist", line, sizeof line) || hwloc_bitmap_list_sscanf(cpus, line))
        hwloc_bitmap_zero(cpus);
    return WEFT_OK;
}

/* The CPU set of the object that the device hangs below; false: no such device, or no memory. */
static bool find_in_xml(struct wf_xml_reader *reader, const struct device *device, struct wf_span *set) {
    struct wf_span sets[DEPTH_MOST] = {{0}};
    struct wf_xml_tag tag;
    unsigned depth = 0;
    while (wf_xml_next(reader, &tag) && tag.kind != WF_XML_END) {
        if (tag.kind == WF_XML_CLOSE) {
            depth -= depth > 0;
            continue;
        }
        const struct wf_span *own = wf_xml_value(&tag, "cpuset"), *id = wf_xml_value(&tag, "pci_busid");
        struct wf_span inside = own ? *own : sets[depth];
        struct device found;
        if (id && read_bus_id(id->bytes, id->length, &found) && same_device(&found, device)) {
            *set = inside;
            return true;
        }
        if (tag.kind == WF_XML_OPEN && depth + 1 < DEPTH_MOST)
            sets[++depth] = inside;
        else if (tag.kind == WF_XML_OPEN)
            return false;
    }
    return false;
}

static weft_status parse_set(struct wf_span set, hwloc_bitmap_t cpus) {
    char *text = set.length && set.length <= SET_BYTES_MOST ? strndup(set.bytes, set.length) : NULL;
    if (set.length && set.length <= SET_BYTES_MOST && !text)
        return wf_fail(WEFT_ENOMEM, "no memory to find a device");
    if (text && hwloc_bitmap_sscanf(cpus, text))
        hwloc_bitmap_zero(cpus);
    free(text);
    return WEFT_OK;
}

static weft_status look_in_xml(const char *path, const struct device *device, hwloc_bitmap_t cpus) {
    char *text = NULL;
    size_t bytes = 0;
    struct wf_span set = {0};
    weft_status status = wf_xml_read(path, &text, &bytes);
    struct wf_xml_reader reader = {.text = text, .at = text, .end = text + bytes};
    if (!status && memchr(text, 0, bytes))
        status = wf_fail(WEFT_ETOPOLOGY, "\"%s\" is no topology any more", path);
    if (!status && find_in_xml(&reader, device, &set))
        status = parse_set(set, cpus);
    else if (!status)
        status = wf_fail(WEFT_EINVAL, "no PCI device %04x:%02x:%02x.%x in \"%s\" (hwloc writes devices with lstopo --whole-io)",
                         device->domain, device->bus, device->slot, device->function, path);
    free(text);
    return status;
}

static weft_status find_cpus(const struct weft_plan *plan, const struct device *device, hwloc_bitmap_t cpus) {
    const char *source = plan->options.topology;
    size_t length = source ? strlen(source) : 0;
    struct stat info;
    if (!source || plan->topology->fsroot)
        return look_in_sys(plan, device, cpus);
    if (!stat(source, &info) || strchr(source, '/') || (length >= 4 && !strcmp(source + length - 4, ".xml")))
        return look_in_xml(source, device, cpus);
    return wf_fail(WEFT_EINVAL, "no PCI device %04x:%02x:%02x.%x: the topology \"%s\" is a description and has none",
                   device->domain, device->bus, device->slot, device->function, source);
}

/* How far node k is from the CPUs: by a matrix that holds it and all nodes of theirs, else by the tree. */
static uint64_t distance(const struct weft_plan *plan, unsigned k, hwloc_const_bitmap_t cpus, hwloc_bitmap_t both) {
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < plan->homes.home_count; i++) {
        int pair[] = {plan->node_os_indexes[k], plan->homes.homes[i].os_index};
        if (!hwloc_bitmap_intersects(plan->homes.homes[i].pus, cpus))
            continue;
        struct wf_matrix matrix;
        uint64_t value = wf_matrix_find(&plan->matrices, pair, 2, &matrix)
                             ? wf_matrix_value(&matrix, pair[0], pair[1])
                             : wf_tree_distance(&plan->homes, plan->node_homes[k]->pus, plan->homes.homes[i].pus, both);
        least = value < least ? value : least;
    }
    return least;
}

static void choose_least_far(const struct weft_plan *plan, hwloc_const_bitmap_t cpus, hwloc_bitmap_t both, bool *near) {
    uint64_t least = UINT64_MAX;
    for (unsigned k = 0; k < plan->node_count; k++) {
        uint64_t far = distance(plan, k, cpus, both);
        least = far < least ? far : least;
    }
    for (unsigned k = 0; k < plan->node_count; k++)
        near[k] = distance(plan, k, cpus, both) == least;
}

static void choose(const struct weft_plan *plan, hwloc_const_bitmap_t cpus, hwloc_bitmap_t both, bool *near,
                   const char **reason) {
    unsigned count = 0;
    bool unknown = hwloc_bitmap_iszero(cpus);
    for (unsigned k = 0; k < plan->node_count; k++)
        count += near[k] = unknown || hwloc_bitmap_intersects(plan->node_homes[k]->pus, cpus);
    *reason = plan->homes.home_count > 1 && (unknown || hwloc_bitmap_isincluded(plan->homes.allowed, cpus)) ? UNKNOWN_PLACE : "";
    if (count)
        return;
    *reason = NO_WORKERS_NEAR;
    choose_least_far(plan, cpus, both, near);
}

weft_status wf_device_nodes(const weft_plan *plan, const char *bus_id, bool *near, const char **reason) {
    struct device device;
    if (!bus_id || !read_bus_id(bus_id, strlen(bus_id), &device))
        return wf_fail(WEFT_EINVAL,
                       "device \"%.40s\" is no PCI bus id: it is written like \"0000:3b:00.0\", in hexadecimal digits",
                       bus_id ? bus_id : "");
    hwloc_bitmap_t cpus = wf_topology_bitmap(plan->topology), both = wf_topology_bitmap(plan->topology);
    weft_status status = cpus && both ? find_cpus(plan, &device, cpus) : wf_fail(WEFT_ENOMEM, "no memory to find a device");
    if (!status)
        choose(plan, cpus, both, near, reason);
    hwloc_bitmap_free(cpus);
    hwloc_bitmap_free(both);
    return status;
}
