/*
 * Changes XML by elements and attributes instead of bytes: what comes out has tags that mostly still match, so that it reaches
 * the code behind the parser. One change in four is libFuzzer's own. Linked to a libFuzzer build of the xml harness only.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

#define TAGS_MOST 512
#define ATTRIBUTES_MOST 32

struct span {
    size_t first, end;
};

struct document {
    char *bytes;
    size_t size, most;
    struct span tags[TAGS_MOST]; /* from '<' to behind '>' */
    unsigned tag_count;
    uint32_t random;
};

static uint32_t below(struct document *document, uint32_t bound) {
    document->random = document->random * 1664525u + 1013904223u;
    return bound ? (document->random >> 8) % bound : 0;
}

#define PICK(document, table) (table)[below(document, sizeof(table) / sizeof *(table))]

static void find_tags(struct document *document) {
    document->tag_count = 0;
    for (size_t at = 0; at < document->size && document->tag_count < TAGS_MOST; at++) {
        const char *end = document->bytes[at] == '<' ? memchr(document->bytes + at, '>', document->size - at) : NULL;
        if (!end)
            continue;
        document->tags[document->tag_count++] = (struct span){at, (size_t)(end - document->bytes) + 1};
        at = (size_t)(end - document->bytes);
    }
}

/* Put `length` bytes in the place of a span; no change where that does not fit. `with` may lie in the document. */
static void replace(struct document *document, struct span span, const char *with, size_t length) {
    size_t rest = document->size - span.end;
    if (span.first + length + rest > document->most)
        return;
    char *copy = malloc(length + 1);
    memcpy(copy, with, length);
    memmove(document->bytes + span.first + length, document->bytes + span.end, rest);
    memcpy(document->bytes + span.first, copy, length);
    document->size = span.first + length + rest;
    free(copy);
}

static bool closes(const struct document *document, unsigned tag) {
    return document->bytes[document->tags[tag].first + 1] == '/';
}

static bool is_empty(const struct document *document, unsigned tag) {
    char last = document->bytes[document->tags[tag].end - 2];
    return last == '/' || last == '?' || document->bytes[document->tags[tag].first + 1] == '!';
}

/* The element that begins with this tag, with all inside it. */
static struct span element(const struct document *document, unsigned tag) {
    unsigned depth = 0, at = tag;
    for (; at < document->tag_count; at++) {
        if (closes(document, at))
            depth -= depth > 0;
        else
            depth += !is_empty(document, at);
        if (!depth)
            break;
    }
    at = at < document->tag_count ? at : tag;
    return (struct span){document->tags[tag].first, document->tags[at].end};
}

/* Spans of name="value" inside a tag. */
static unsigned find_attributes(const struct document *document, struct span tag, struct span *found) {
    unsigned count = 0;
    for (size_t at = tag.first; at < tag.end && count < ATTRIBUTES_MOST; at++) {
        if (document->bytes[at] != ' ')
            continue;
        const char *open = memchr(document->bytes + at, '"', tag.end - at);
        size_t value = open ? (size_t)(open - document->bytes) + 1 : tag.end;
        const char *close = value < tag.end ? memchr(document->bytes + value, '"', tag.end - value) : NULL;
        if (!close)
            break;
        found[count++] = (struct span){at, (size_t)(close - document->bytes) + 1};
        at = (size_t)(close - document->bytes);
    }
    return count;
}

static struct span value_of(const struct document *document, struct span attribute) {
    const char *open = memchr(document->bytes + attribute.first, '"', attribute.end - attribute.first);
    return (struct span){(size_t)(open - document->bytes) + 1, attribute.end - 1};
}

static void change_elements(struct document *document, unsigned tag) {
    struct span this = element(document, tag), other = element(document, below(document, document->tag_count));
    size_t length = other.end - other.first;
    switch (below(document, 4)) {
    case 0: /* away */
        replace(document, this, "", 0);
        break;
    case 1: /* twice, or another one before it */
        replace(document, (struct span){this.first, this.first}, document->bytes + other.first, length);
        break;
    case 2: /* in the place of another */
        replace(document, this, document->bytes + other.first, length);
        break;
    default: { /* inside its neighbour: only the tag moves */
        struct span open = document->tags[tag];
        replace(document, (struct span){other.end, other.end}, document->bytes + open.first, open.end - open.first);
    }
    }
}

static const char *const numbers[] = {"0",
                                      "1",
                                      "2",
                                      "3",
                                      "4",
                                      "7",
                                      "8",
                                      "31",
                                      "32",
                                      "63",
                                      "64",
                                      "1023",
                                      "1024",
                                      "65535",
                                      "65536",
                                      "65537",
                                      "1048575",
                                      "1048576",
                                      "2097151",
                                      "-1",
                                      "4294967295",
                                      "4294967296",
                                      "2147483647",
                                      "2147483648",
                                      "18446744073709551615",
                                      "",
                                      "x",
                                      "1 ",
                                      "0x10",
                                      "9223372036854775807",
                                      "9223372036854775808",
                                      "99999999999999999999"};
static const char *const sets[] = {"0x0",
                                   "0x00000001",
                                   "0x00000003",
                                   "0x0000000f",
                                   "0x00000002",
                                   "0x0000000c",
                                   "0xffffffff",
                                   "0xf...f",
                                   "0xf...f,0x00000000",
                                   "0x00000001,0x0",
                                   "0x1,,,,0x1",
                                   "0x80000000",
                                   "",
                                   ",",
                                   "0x",
                                   "0x00000001,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,0x00000001",
                                   "0x123456789",
                                   "zz"};
static const char *const types[] = {"Machine",  "Package", "NUMANode",   "Core",      "PU",      "L3Cache", "L2Cache",
                                    "L1iCache", "Group",   "Misc",       "Bridge",    "PCIDev",  "OSDev",   "Die",
                                    "Cache",    "System",  "MemCache",   "Tile",      "L9Cache", "Nothing", "L1Cache",
                                    "Module",   "Socket",  "HostBridge", "PCIBridge", "Node"};
static const char *const texts[] = {"HBM",  "DRAM",        "",   "&quot;", "&amp;&lt;", "a&#10;b",   "\xc3\xa9",  "\xff",
                                    "\x01", "NUMALatency", "os", "gp",     "&#1;",      "&#x1F600;", "Bandwidth", "Capacity"};
static const char *const names[] = {"type",
                                    "os_index",
                                    "cpuset",
                                    "complete_cpuset",
                                    "nodeset",
                                    "gp_index",
                                    "complete_nodeset",
                                    "local_memory",
                                    "allowed_cpuset",
                                    "allowed_nodeset",
                                    "subtype",
                                    "name",
                                    "cache_size",
                                    "depth",
                                    "cache_type",
                                    "nbobjs",
                                    "kind",
                                    "indexing",
                                    "length",
                                    "value",
                                    "page_types",
                                    "dont_merge",
                                    "pci_busid",
                                    "bridge_type",
                                    "forced_efficiency",
                                    "flags",
                                    "count",
                                    "target_obj_gp_index",
                                    "target_obj_type",
                                    "initiator_cpuset"};
static const char *const pieces[] = {
    "<info name=\"a\" value=\"b\"/>",
    "<page_type size=\"4096\" count=\"10\"/>",
    "<userdata length=\"3\">abc</userdata>",
    "<userdata name=\"n\" length=\"3\" encoding=\"base64\">YWJj</userdata>",
    "<object type=\"Misc\" gp_index=\"99\" name=\"m\"/>",
    "<object type=\"Group\" cpuset=\"0x3\" complete_cpuset=\"0x3\" nodeset=\"0x1\" complete_nodeset=\"0x1\" gp_index=\"77\" "
    "kind=\"1\">",
    "</object>",
    "<object type=\"Bridge\" gp_index=\"98\" bridge_type=\"0-1\" depth=\"0\" bridge_pci=\"0000:[00-ff]\"/>",
    "<support name=\"discovery.pu\"/>",
    "<cpukind cpuset=\"0x00000003\" forced_efficiency=\"0\"><info name=\"CoreType\" value=\"IntelCore\"/></cpukind>",
    "<memattr name=\"Bandwidth\" flags=\"5\"><memattr_value target_obj_gp_index=\"2\" target_obj_type=\"NUMANode\" value=\"9\" "
    "initiator_cpuset=\"0x1\"/></memattr>",
    "<distances2 type=\"NUMANode\" nbobjs=\"2\" kind=\"5\" name=\"NUMALatency\" indexing=\"os\"><indexes length=\"4\">0 1 "
    "</indexes>"
    "<u64values length=\"12\">10 20 20 10 </u64values></distances2>",
    "<distances2hetero nbobjs=\"2\" kind=\"5\"><indexes length=\"16\">NUMANode:2 PU:6 </indexes><u64values length=\"8\">1 2 2 1 "
    "</u64values></distances2hetero>",
};

static void change_value(struct document *document, struct span attribute) {
    struct span value = value_of(document, attribute);
    const char *name = document->bytes + attribute.first;
    size_t length = value.first - attribute.first;
    bool set = length > 3 && memmem(name, length, "set=", 4);
    bool type = memmem(name, length, "type=", 5) != NULL;
    const char *with = set ? PICK(document, sets) : type ? PICK(document, types) : PICK(document, numbers);
    if (!below(document, 6))
        with = PICK(document, texts);
    replace(document, value, with, strlen(with));
}

static void change_attributes(struct document *document, unsigned tag) {
    struct span found[ATTRIBUTES_MOST], others[ATTRIBUTES_MOST];
    unsigned count = find_attributes(document, document->tags[tag], found);
    unsigned other_count = find_attributes(document, document->tags[below(document, document->tag_count)], others);
    if (!count)
        return;
    struct span this = found[below(document, count)];
    char made[128];
    switch (below(document, 8)) {
    case 0:
        replace(document, this, "", 0);
        return;
    case 1: /* one more */
        snprintf(made, sizeof made, " %s=\"%s\"", PICK(document, names), PICK(document, numbers));
        replace(document, (struct span){this.first, this.first}, made, strlen(made));
        return;
    case 2: /* somebody else's */
        if (other_count) {
            struct span other = others[below(document, other_count)];
            replace(document, this, document->bytes + other.first, other.end - other.first);
        }
        return;
    case 3: { /* the same attribute of another tag, if it has one */
        size_t length = value_of(document, this).first - this.first;
        for (unsigned i = 0; i < other_count; i++)
            if (!strncmp(document->bytes + others[i].first, document->bytes + this.first, length))
                replace(document, this, document->bytes + others[i].first, others[i].end - others[i].first);
        return;
    }
    default:
        change_value(document, this);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed) {
    static struct document document;
    document = (struct document){.bytes = (char *)data, .size = size, .most = most, .random = seed};
    if (!below(&document, 4))
        return LLVMFuzzerMutate(data, size, most);
    for (unsigned changes = 1 + below(&document, 3); changes; changes--) {
        find_tags(&document);
        if (!document.tag_count)
            return LLVMFuzzerMutate(data, document.size, most);
        unsigned tag = below(&document, document.tag_count), what = below(&document, 8);
        if (what < 2) {
            change_elements(&document, tag);
        } else if (what == 2) {
            const char *piece = PICK(&document, pieces);
            size_t at = below(&document, 2) ? document.tags[tag].end : document.tags[tag].first;
            replace(&document, (struct span){at, at}, piece, strlen(piece));
        } else {
            change_attributes(&document, tag);
        }
    }
    return document.size;
}
