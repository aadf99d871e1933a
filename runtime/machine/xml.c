/*
 * The rules, in the order of the file: elements stand where hwloc writes them; objects have a known type and, if they hold CPUs
 * or memory, all four sets; sets are finite, lie inside the parent's, and those of siblings do not overlap; PUs and NUMA nodes
 * are unique; matrices have as many numbers as they say. I/O devices, Misc objects, user data and what is unknown are left out:
 * plans do not look at them.
 */
#include "machine/xml.h"

#include <hwloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"
#include "machine/xml_reader.h"

#define FILE_BYTES_MOST ((size_t)64 << 20) /* a machine of 1024 PUs has 1 MB */
#define DEPTH_MOST 64
#define INDEX_MOST 65535u   /* OS index of a PU or node; Linux ends at 8192 and 1024 */
#define MATRIX_MOST 1024u   /* nodes in a matrix */
#define OBJECTS_MOST 200000 /* an object costs hwloc about a KB */

enum element { TOPOLOGY, OBJECT, INFO, DISTANCES, INDEXES, VALUES, MEMATTR, MEMATTR_VALUE, CPUKIND, LEFT_OUT };

enum set { CPUS, COMPLETE_CPUS, NODES, COMPLETE_NODES, SETS };
static const char *const set_names[SETS] = {"cpuset", "complete_cpuset", "nodeset", "complete_nodeset"};

/* An element that is open. Bitmaps are made when first needed and used again. */
struct level {
    enum element element;
    struct wf_span name;
    hwloc_obj_type_t type;
    hwloc_bitmap_t sets[SETS];
    hwloc_bitmap_t taken, last; /* complete CPU sets of the children so far: all, the last one */
    bool has_normal_child, has_object;
    unsigned matrix, indexes, values; /* DISTANCES: nodes, and how many numbers there were */
    hwloc_bitmap_t listed;            /* DISTANCES: nodes so far */
};

struct check {
    struct wf_xml_reader reader;
    struct wf_xml_tag tag;
    struct level levels[DEPTH_MOST];
    unsigned depth;
    hwloc_bitmap_t nodes;         /* NUMA nodes so far */
    unsigned objects, present[2]; /* PUs, NUMA nodes that are online */
    bool started, ended, no_memory;
    char *out, *out_end;
};

static bool fail(struct check *check, const char *fault) {
    check->reader.fault = fault;
    return false;
}

static bool no_memory(struct check *check) {
    check->no_memory = true;
    return false;
}

static bool empty_bitmap(struct check *check, hwloc_bitmap_t *bitmap) {
    if (!*bitmap && !(*bitmap = hwloc_bitmap_alloc()))
        return no_memory(check);
    hwloc_bitmap_zero(*bitmap);
    return true;
}

/* A decimal number up to `most`. */
static bool read_number(struct wf_span span, uint64_t most, uint64_t *number) {
    *number = 0;
    for (size_t i = 0; i < span.length; i++) {
        unsigned digit = (unsigned)(span.bytes[i] - '0');
        if (digit > 9 || *number > (most - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    return span.length > 0;
}

/* "0x00000003,0x0000000f": words of 32 bits, the highest first; zeros in the middle may be left out. */
static bool read_set(struct check *check, struct wf_span span, hwloc_bitmap_t set) {
    static const char hex[] = "0123456789abcdef";
    unsigned words = 1, word;
    for (size_t i = 0; i < span.length; i++)
        words += span.bytes[i] == ',';
    if (words > INDEX_MOST / 32 + 1)
        return fail(check, "a set with members above 65535");
    const char *at = span.bytes, *end = span.bytes + span.length;
    for (word = words; word-- > 0; at++) {
        unsigned long value = 0;
        unsigned digits = 0;
        if (end - at > 2 && at[0] == '0' && at[1] == 'x')
            at += 2;
        for (; at < end && *at != ','; at++, digits++) {
            const char *digit = memchr(hex, *at, 16);
            if (!digit || digits == 8)
                return fail(check, "a set that is not of the form \"0x0000000f,0xffffffff\"");
            value = value * 16 + (unsigned long)(digit - hex);
        }
        for (unsigned bit = 0; value; bit++, value >>= 1)
            if (value & 1 && hwloc_bitmap_set(set, word * 32 + bit))
                return no_memory(check);
    }
    return true;
}

static void put(struct check *check, const char *bytes, size_t length) {
    memcpy(check->out_end, bytes, length);
    check->out_end += length;
}

static void put_span(struct check *check, struct wf_span span) {
    put(check, span.bytes, span.length);
}

/* The tag as it was read, in the one form that both of hwloc's parsers take. */
static void put_tag(struct check *check) {
    const struct wf_xml_tag *tag = &check->tag;
    put(check, "<", 1);
    put_span(check, tag->name);
    for (unsigned i = 0; i < tag->attribute_count; i++) {
        put(check, " ", 1);
        put_span(check, tag->attributes[i].name);
        put(check, "=\"", 2);
        put_span(check, tag->attributes[i].value);
        put(check, "\"", 1);
    }
    put(check, tag->kind == WF_XML_EMPTY ? "/>" : ">", tag->kind == WF_XML_EMPTY ? 2 : 1);
}

/* Only these attributes, and each of the first `needed` of them. */
static bool only_attributes(struct check *check, const char *const *names, unsigned count, unsigned needed) {
    for (unsigned i = 0; i < check->tag.attribute_count; i++) {
        unsigned known = 0;
        while (known < count && !wf_span_is(check->tag.attributes[i].name, names[known]))
            known++;
        if (known == count)
            return fail(check, "an attribute that does not belong here");
    }
    for (unsigned i = 0; i < needed; i++)
        if (!wf_xml_value(&check->tag, names[i]))
            return fail(check, "a tag that lacks an attribute");
    return true;
}

static bool number_attribute(struct check *check, const char *name, uint64_t most, uint64_t *number) {
    const struct wf_span *value = wf_xml_value(&check->tag, name);
    if (!value)
        return true;
    return read_number(*value, most, number) || fail(check, "a number that is none, or beyond any machine");
}

static bool find_type(struct check *check, hwloc_obj_type_t *type) {
    const struct wf_xml_attribute *first = check->tag.attributes;
    if (!check->tag.attribute_count || !wf_span_is(first->name, "type"))
        return fail(check, "an object that does not begin with its type");
    for (*type = HWLOC_OBJ_TYPE_MIN; *type < HWLOC_OBJ_TYPE_MAX; (*type)++)
        if (wf_span_is(first->value, hwloc_obj_type_string(*type)))
            return true;
    return fail(check, "an object of a type that hwloc 2 does not have");
}

/* The numbers that hwloc reads into wide enough fields, and those that weft hands on. */
static bool check_numbers(struct check *check) {
    static const char *const names[] = {"gp_index",   "local_memory", "cache_size", "cache_linesize", "depth",
                                        "cache_type", "kind",         "subkind",    "dont_merge"};
    uint64_t number;
    for (unsigned i = 0; i < WF_ARRAY_LENGTH(names); i++)
        if (!number_attribute(check, names[i], i < 3 ? INT64_MAX : INT32_MAX, &number))
            return false;
    return true;
}

/* hwloc takes a cache for what its depth and type say; 0 is unified, 1 data, 2 instruction. */
static bool check_cache(struct check *check, hwloc_obj_type_t type) {
    uint64_t depth = 0, kind = 0;
    if (!hwloc_obj_type_is_cache(type))
        return true;
    if (!number_attribute(check, "depth", 5, &depth) || !number_attribute(check, "cache_type", 2, &kind))
        return false;
    bool instruction = kind == HWLOC_OBJ_CACHE_INSTRUCTION;
    hwloc_obj_type_t first = instruction ? HWLOC_OBJ_L1ICACHE : HWLOC_OBJ_L1CACHE;
    bool fits = depth >= 1 && depth <= (instruction ? 3 : 5) && type == first + (hwloc_obj_type_t)depth - 1;
    return fits || fail(check, "a cache whose depth and cache_type are not those of its type");
}

static bool read_sets(struct check *check, struct level *level) {
    for (unsigned i = 0; i < SETS; i++) {
        const struct wf_span *value = wf_xml_value(&check->tag, set_names[i]);
        if (!value)
            return fail(check, "an object without all of cpuset, complete_cpuset, nodeset, complete_nodeset");
        if (!empty_bitmap(check, &level->sets[i]) || !read_set(check, *value, level->sets[i]))
            return false;
    }
    if (!hwloc_bitmap_isincluded(level->sets[CPUS], level->sets[COMPLETE_CPUS]) ||
        !hwloc_bitmap_isincluded(level->sets[NODES], level->sets[COMPLETE_NODES]))
        return fail(check, "an object whose set is not part of its complete set");
    return true;
}

static bool is_only(hwloc_const_bitmap_t set, uint64_t member) {
    return hwloc_bitmap_weight(set) == 1 && (uint64_t)hwloc_bitmap_first(set) == member;
}

/* PUs and nodes stand for one bit each, and nobody else has it. */
static bool check_leaf(struct check *check, struct level *level) {
    uint64_t index = UINT64_MAX;
    bool pu = level->type == HWLOC_OBJ_PU;
    if (!pu && level->type != HWLOC_OBJ_NUMANODE)
        return true;
    if (!number_attribute(check, "os_index", INDEX_MOST, &index))
        return false;
    if (!is_only(level->sets[pu ? COMPLETE_CPUS : COMPLETE_NODES], index))
        return fail(check, "a PU or NUMA node whose complete set is not its os_index");
    check->present[!pu] += !hwloc_bitmap_iszero(level->sets[pu ? CPUS : NODES]);
    if (pu)
        return true; /* siblings do not overlap, so it is unique */
    if (hwloc_bitmap_isset(check->nodes, (unsigned)index))
        return fail(check, "a NUMA node that is there twice");
    return !hwloc_bitmap_set(check->nodes, (unsigned)index) || no_memory(check);
}

static bool check_family(struct check *check, struct level *parent, struct level *level) {
    if (hwloc_obj_type_is_normal(level->type) ? !hwloc_obj_type_is_normal(parent->type) || parent->type == HWLOC_OBJ_PU
                                              : hwloc_obj_type_is_io(parent->type))
        return fail(check, "an object inside one that holds no such objects");
    if (level->type == HWLOC_OBJ_MACHINE)
        return fail(check, "a Machine inside another object");
    for (unsigned i = 0; i < SETS; i++)
        if (!hwloc_bitmap_isincluded(level->sets[i], parent->sets[i]) && i != NODES && i != COMPLETE_NODES)
            return fail(check, "an object with CPUs that its parent does not have");
    if (!hwloc_obj_type_is_normal(level->type))
        return hwloc_bitmap_isincluded(level->sets[COMPLETE_NODES], parent->sets[COMPLETE_NODES]) ||
               fail(check, "a memory object with nodes that its parent does not have");
    hwloc_const_bitmap_t cpus = level->sets[COMPLETE_CPUS];
    if (hwloc_bitmap_intersects(cpus, parent->taken))
        return fail(check, "an object that shares CPUs with the one beside it");
    if (parent->has_normal_child && hwloc_bitmap_compare_first(cpus, parent->last) < 0)
        return fail(check, "objects that are not in the order of their CPUs");
    parent->has_normal_child = true;
    return (!hwloc_bitmap_or(parent->taken, parent->taken, cpus) && !hwloc_bitmap_copy(parent->last, cpus)) || no_memory(check);
}

static bool check_root(struct check *check, struct level *level) {
    if (level->type != HWLOC_OBJ_MACHINE)
        return fail(check, "an outermost object that is no Machine");
    if (hwloc_bitmap_iszero(level->sets[CPUS]) || hwloc_bitmap_iszero(level->sets[NODES]))
        return fail(check, "a Machine without CPUs or without NUMA nodes");
    for (unsigned i = 0; i < 2; i++) {
        const struct wf_span *value = wf_xml_value(&check->tag, i ? "allowed_nodeset" : "allowed_cpuset");
        if (value && (!empty_bitmap(check, &level->listed) || !read_set(check, *value, level->listed)))
            return false;
    }
    return true;
}

static bool check_object(struct check *check, struct level *parent, struct level *level) {
    if (!find_type(check, &level->type))
        return false;
    if (++check->objects > OBJECTS_MOST)
        return fail(check, "more objects than any machine has");
    if (!hwloc_obj_type_is_normal(level->type) && !hwloc_obj_type_is_memory(level->type)) {
        level->element = LEFT_OUT;
        return parent->element == OBJECT || fail(check, "an outermost object that is no Machine");
    }
    if (!check_numbers(check) || !check_cache(check, level->type) || !read_sets(check, level) || !check_leaf(check, level) ||
        !empty_bitmap(check, &level->taken) || !empty_bitmap(check, &level->last))
        return false;
    bool another = parent->has_object;
    parent->has_object = true;
    if (parent->element == OBJECT)
        return check_family(check, parent, level);
    return another ? fail(check, "a second outermost object") : check_root(check, level);
}

static bool check_matrix(struct check *check, struct level *level) {
    const struct wf_span *type = wf_xml_value(&check->tag, "type"), *indexing = wf_xml_value(&check->tag, "indexing");
    uint64_t count = 0, kind = 0;
    if (!type || !indexing || !wf_span_is(*type, "NUMANode") || !wf_span_is(*indexing, "os")) {
        level->element = LEFT_OUT; /* plans look at matrices between nodes only */
        return true;
    }
    if (!number_attribute(check, "nbobjs", MATRIX_MOST, &count) || !number_attribute(check, "kind", INT32_MAX, &kind))
        return false;
    if (!count || !kind)
        return fail(check, "a matrix without its size or kind");
    level->matrix = (unsigned)count;
    level->indexes = level->values = 0;
    return empty_bitmap(check, &level->listed);
}

static bool check_memattr_value(struct check *check, struct level *level) {
    static const char *const names[] = {"target_obj_gp_index", "target_obj_type",        "value",
                                        "initiator_cpuset",    "initiator_obj_gp_index", "initiator_obj_type"};
    uint64_t number;
    const struct wf_span *set = wf_xml_value(&check->tag, "initiator_cpuset");
    if (!only_attributes(check, names, WF_ARRAY_LENGTH(names), 3) || !number_attribute(check, names[0], INT64_MAX, &number) ||
        !number_attribute(check, names[2], INT64_MAX, &number) || !number_attribute(check, names[4], INT64_MAX, &number))
        return false;
    if (!wf_span_is(*wf_xml_value(&check->tag, names[1]), "NUMANode"))
        level->element = LEFT_OUT;
    struct level *parent = &check->levels[check->depth - 1];
    return !set || (empty_bitmap(check, &parent->listed) && read_set(check, *set, parent->listed));
}

static bool check_cpukind(struct check *check, struct level *level) {
    static const char *const names[] = {"cpuset", "forced_efficiency"};
    if (!only_attributes(check, names, 2, 1))
        return false;
    const struct wf_span *efficiency = wf_xml_value(&check->tag, names[1]);
    uint64_t number;
    if (efficiency && !wf_span_is(*efficiency, "-1") && !read_number(*efficiency, INT32_MAX, &number))
        return fail(check, "an efficiency that is no number");
    return empty_bitmap(check, &level->listed) && read_set(check, *wf_xml_value(&check->tag, names[0]), level->listed);
}

static enum element element_of(struct check *check, const struct level *parent) {
    static const struct {
        const char *name;
        enum element element, parent;
    } places[] = {{"object", OBJECT, TOPOLOGY},
                  {"object", OBJECT, OBJECT},
                  {"info", INFO, OBJECT},
                  {"info", INFO, CPUKIND},
                  {"distances2", DISTANCES, TOPOLOGY},
                  {"indexes", INDEXES, DISTANCES},
                  {"u64values", VALUES, DISTANCES},
                  {"memattr", MEMATTR, TOPOLOGY},
                  {"cpukind", CPUKIND, TOPOLOGY},
                  {"memattr_value", MEMATTR_VALUE, MEMATTR}};
    for (unsigned i = 0; i < WF_ARRAY_LENGTH(places); i++)
        if (places[i].parent == parent->element && wf_span_is(check->tag.name, places[i].name))
            return places[i].element;
    return LEFT_OUT;
}

static bool check_content(struct check *check, struct level *level) {
    static const char *const info[] = {"name", "value"}, *const memattr[] = {"name", "flags"}, *const length[] = {"length"};
    struct level *parent = &check->levels[check->depth - 1];
    uint64_t number;
    switch (level->element) {
    case OBJECT:
        return check_object(check, parent, level);
    case INFO:
        if (parent->element == OBJECT && parent->has_object)
            level->element = LEFT_OUT; /* hwloc reads them before the objects only */
        return only_attributes(check, info, 2, 2);
    case DISTANCES:
        return check_matrix(check, level);
    case INDEXES:
    case VALUES:
        return only_attributes(check, length, 1, 1) && check->tag.kind == WF_XML_OPEN
                   ? true
                   : fail(check, "a list of numbers without its length");
    case MEMATTR:
        return only_attributes(check, memattr, 2, 2) && number_attribute(check, "flags", INT32_MAX, &number);
    case MEMATTR_VALUE:
        return check_memattr_value(check, level);
    case CPUKIND:
        return check_cpukind(check, level);
    case TOPOLOGY:
    case LEFT_OUT:
        break;
    }
    return true;
}

static bool check_version(struct check *check) {
    const struct wf_span *version = wf_xml_value(&check->tag, "version");
    uint64_t minor;
    if (!wf_span_is(check->tag.name, "topology"))
        return fail(check, "an outermost tag that is not <topology>");
    if (!version || version->length < 3 || memcmp(version->bytes, "2.", 2) ||
        !read_number((struct wf_span){version->bytes + 2, version->length - 2}, 99, &minor))
        return fail(check, "a topology whose version is not 2");
    check->started = true;
    return true;
}

/* Numbers separated by single spaces, one of them at least, of a matrix or the list of its nodes. */
static bool count_numbers(struct check *check, struct level *matrix, enum element element) {
    struct wf_span text = check->tag.before;
    for (size_t at = 0; at < text.length; at++) {
        struct wf_span digits = {text.bytes + at, 0};
        while (at < text.length && text.bytes[at] >= '0' && text.bytes[at] <= '9')
            at++;
        digits.length = (size_t)(text.bytes + at - digits.bytes);
        uint64_t number;
        if (!read_number(digits, element == INDEXES ? INDEX_MOST : UINT64_MAX, &number) ||
            (at < text.length && text.bytes[at] != ' '))
            return fail(check, "a list that is not of numbers with single spaces");
        if (element == VALUES) {
            matrix->values++;
            continue;
        }
        if (hwloc_bitmap_isset(matrix->listed, (unsigned)number))
            return fail(check, "a matrix that lists a node twice");
        if (hwloc_bitmap_set(matrix->listed, (unsigned)number))
            return no_memory(check);
        matrix->indexes++;
    }
    return (matrix->indexes <= matrix->matrix && matrix->values <= matrix->matrix * matrix->matrix) ||
           fail(check, "a matrix with more numbers than its size says");
}

static bool open_element(struct check *check) {
    struct level *level = &check->levels[check->depth];
    if (check->depth == DEPTH_MOST - 1)
        return fail(check, "tags that are nested too deeply");
    level->name = check->tag.name;
    level->has_normal_child = level->has_object = false;
    if (!check->depth) {
        level->element = TOPOLOGY;
        if (check->ended || check->tag.kind == WF_XML_EMPTY)
            return fail(check, "a second or an empty <topology>");
        if (!check_version(check))
            return false;
        put(check, "<topology version=\"2.0\">\n", 25);
    } else {
        const struct level *parent = &check->levels[check->depth - 1];
        level->element = parent->element == LEFT_OUT ? LEFT_OUT : element_of(check, parent);
        if (!check_content(check, level))
            return false;
        if (level->element != LEFT_OUT)
            put_tag(check);
    }
    if (level->element != LEFT_OUT && check->tag.kind == WF_XML_EMPTY)
        put(check, "\n", 1);
    check->depth += check->tag.kind == WF_XML_OPEN;
    return true;
}

static bool close_element(struct check *check) {
    if (!check->depth)
        return fail(check, "a closing tag of nothing");
    struct level *level = &check->levels[--check->depth];
    if (level->name.length != check->tag.name.length || memcmp(level->name.bytes, check->tag.name.bytes, level->name.length))
        return fail(check, "a closing tag of another element");
    if (level->element == INDEXES || level->element == VALUES) {
        if (!count_numbers(check, &check->levels[check->depth - 1], level->element))
            return false;
        put_span(check, check->tag.before);
    }
    if (level->element == DISTANCES && (level->indexes != level->matrix || level->values != level->matrix * level->matrix))
        return fail(check, "a matrix with fewer numbers than its size says");
    check->ended = !check->depth;
    if (level->element == LEFT_OUT)
        return true;
    put(check, "</", 2);
    put_span(check, level->name);
    put(check, ">\n", 2);
    return true;
}

static bool is_blank(struct wf_span text) {
    for (size_t i = 0; i < text.length; i++)
        if (!strchr(" \t\r\n", text.bytes[i]))
            return false;
    return true;
}

static bool check_document(struct check *check) {
    for (;;) {
        if (!wf_xml_next(&check->reader, &check->tag))
            return false;
        enum element around = check->depth ? check->levels[check->depth - 1].element : TOPOLOGY;
        if (around != INDEXES && around != VALUES && around != LEFT_OUT && !is_blank(check->tag.before))
            return fail(check, "text where none belongs");
        if (check->tag.kind == WF_XML_END)
            break;
        if (check->tag.kind == WF_XML_CLOSE ? !close_element(check) : !open_element(check))
            return false;
    }
    if (!check->ended)
        return fail(check, check->started ? "a <topology> that is not closed" : "no <topology>");
    if (!check->present[0] || !check->present[1])
        return fail(check, "a topology without PUs or without NUMA nodes");
    return true;
}

static void release(struct check *check) {
    for (unsigned i = 0; i < DEPTH_MOST; i++) {
        struct level *level = &check->levels[i];
        for (unsigned set = 0; set < SETS; set++)
            hwloc_bitmap_free(level->sets[set]);
        hwloc_bitmap_free(level->taken);
        hwloc_bitmap_free(level->last);
        hwloc_bitmap_free(level->listed);
    }
    hwloc_bitmap_free(check->nodes);
    free(check);
}

/* `out` has room for twice the text: each tag gains a newline and at most two bytes, and has three at least. */
static weft_status check_text(const char *path, const char *text, size_t length, char *out, size_t *bytes) {
    struct check *check = calloc(1, sizeof *check);
    if (!check || !(check->nodes = hwloc_bitmap_alloc())) {
        free(check);
        return wf_fail(WEFT_ENOMEM, "no memory to check \"%s\"", path);
    }
    check->reader = (struct wf_xml_reader){.text = text, .at = text, .end = text + length};
    check->out = check->out_end = out;
    put(check, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", 39);
    weft_status status = WEFT_OK;
    if (strlen(text) != length)
        fail(check, "a byte that is 0");
    if (check->reader.fault || !check_document(check))
        status =
            check->no_memory
                ? wf_fail(WEFT_ENOMEM, "no memory to check \"%s\"", path)
                : wf_fail(WEFT_ETOPOLOGY,
                          "\"%s\" is not an hwloc version 2 XML file (lstopo --export-xml-flags v2 writes one): line %u has %s",
                          path, wf_xml_line(&check->reader), check->reader.fault);
    *check->out_end = 0;
    *bytes = (size_t)(check->out_end - out) + 1;
    release(check);
    return status;
}

weft_status wf_xml_read(const char *path, char **text, size_t *length) {
    static const struct wf_file_kind kind = {"topology file", WEFT_ETOPOLOGY, FILE_BYTES_MOST};
    return wf_file_read(path, &kind, text, length);
}

weft_status wf_xml_load(const char *path, char **text, size_t *bytes) {
    char *read = NULL, *out = NULL;
    size_t length = 0;
    weft_status status = wf_xml_read(path, &read, &length);
    if (!status && !(out = malloc(2 * length + 128)))
        status = wf_fail(WEFT_ENOMEM, "no memory to check \"%s\"", path);
    if (!status)
        status = check_text(path, read, length, out, bytes);
    free(read);
    if (status) {
        free(out);
        return status;
    }
    *text = out;
    return WEFT_OK;
}
