/* The text, JSON and SVG of a plan, read back by parsers that weft did not write. */
#include <jansson.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plan_output.h"
#include "fuzz.h"

/* Larger plans are drawn rarely and slowly. */
#define MOST_WORKERS 512

static void check_numbers(json_t *root, const weft_plan *plan) {
    unsigned workers, nodes, memory_nodes;
    const weft_plan_worker *planned = weft_plan_workers(plan, &workers);
    const weft_plan_node *homes = weft_plan_nodes(plan, &nodes);
    const weft_plan_memory_node *memory = weft_plan_memory_nodes(plan, &memory_nodes);
    json_t *list = json_object_get(root, "workers"), *node_list = json_object_get(root, "nodes");
    json_t *memory_list = json_object_get(root, "memory_only_nodes");
    FUZZ_CHECK(json_array_size(list) == workers, "JSON has %zu workers of %u", json_array_size(list), workers);
    FUZZ_CHECK(json_array_size(node_list) == nodes, "JSON has %zu nodes of %u", json_array_size(node_list), nodes);
    FUZZ_CHECK(json_array_size(memory_list) == memory_nodes, "JSON has %zu of %u", json_array_size(memory_list), memory_nodes);
    for (unsigned i = 0; i < workers; i++) {
        json_t *worker = json_array_get(list, i);
        FUZZ_CHECK(json_integer_value(json_object_get(worker, "pu")) == planned[i].pu, "PU of worker %u", i);
        FUZZ_CHECK(json_array_size(json_object_get(worker, "victim_groups")) == planned[i].group_count, "worker %u", i);
    }
    for (unsigned i = 0; i < nodes; i++) {
        json_int_t bytes = json_integer_value(json_object_get(json_array_get(node_list, i), "local_memory"));
        FUZZ_CHECK(bytes >= 0 && (uint64_t)bytes == homes[i].local_memory, "memory of node %u is %lld", i, (long long)bytes);
    }
    for (unsigned i = 0; i < memory_nodes; i++) {
        json_t *node = json_array_get(memory_list, i);
        json_int_t bytes = json_integer_value(json_object_get(node, "local_memory"));
        FUZZ_CHECK(bytes >= 0 && (uint64_t)bytes == memory[i].local_memory, "memory node %u: %lld", i, (long long)bytes);
        FUZZ_CHECK(json_is_string(json_object_get(node, "subtype")), "memory node %u has no subtype", i);
    }
}

void fuzz_check_json(const char *text, size_t length, const weft_plan *plan) {
    json_error_t error;
    json_t *root = json_loadb(text, length, 0, &error);
    FUZZ_CHECK(root, "JSON of %zu bytes: %s", length, error.text);
    FUZZ_CHECK(json_is_object(json_object_get(root, "limits")), "JSON has no limits");
    if (plan)
        check_numbers(root, plan);
    json_decref(root);
}

/* Workers named by the words "w3" and "w4-7" below an element. */
static unsigned count_workers(const xmlNode *node) {
    unsigned count = 0;
    for (; node; node = node->next) {
        xmlChar *name = node->type == XML_ELEMENT_NODE ? xmlGetProp((xmlNode *)node, BAD_CAST "class") : NULL;
        if (name && !strcmp((const char *)name, "worker")) {
            xmlChar *words = xmlNodeGetContent(node);
            unsigned first, last;
            int read = sscanf((const char *)words, "w%u-%u", &first, &last);
            count += read == 2 ? last - first + 1 : read == 1;
            xmlFree(words);
        }
        xmlFree(name);
        count += count_workers(node->children);
    }
    return count;
}

void fuzz_check_svg(const char *text, size_t length, const weft_plan *plan) {
    xmlDoc *picture = xmlReadMemory(text, (int)length, "plan.svg", "UTF-8",
                                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_HUGE);
    xmlNode *root = picture ? xmlDocGetRootElement(picture) : NULL;
    FUZZ_CHECK(root && !strcmp((const char *)root->name, "svg"), "the picture of %zu bytes is not SVG: %s", length,
               xmlGetLastError() ? xmlGetLastError()->message : "no root");
    unsigned drawn = count_workers(root), workers = drawn;
    if (plan)
        weft_plan_workers(plan, &workers);
    FUZZ_CHECK(drawn == workers, "%u workers are drawn of %u", drawn, workers);
    xmlFreeDoc(picture);
}

static void check_text(const char *text, const weft_plan *plan) {
    unsigned workers = 0, nodes = 0, expected_workers, expected_nodes;
    weft_plan_workers(plan, &expected_workers);
    weft_plan_nodes(plan, &expected_nodes);
    int read = sscanf(text, "%u worker%*[s] on %u", &workers, &nodes);
    if (read != 2)
        read = sscanf(text, "%u worker on %u", &workers, &nodes);
    FUZZ_CHECK(read == 2 && workers == expected_workers && nodes == expected_nodes, "the text begins %.60s", text);
    FUZZ_CHECK(strstr(text, weft_plan_get_limits(plan)->reason), "the text lacks the reason");
}

void fuzz_check_faces(const weft_plan *plan) {
    unsigned workers;
    char *text = NULL, path[64];
    size_t length = 0;
    weft_plan_workers(plan, &workers);
    if (workers > MOST_WORKERS)
        return;
    FILE *to = open_memstream(&text, &length);
    FUZZ_CHECK(!wf_plan_print_text(to, plan), "no text");
    fclose(to);
    check_text(text, plan);
    free(text);
    to = open_memstream(&text, &length);
    FUZZ_CHECK(!wf_plan_print_json(to, plan), "no JSON");
    fclose(to);
    fuzz_check_json(text, length, plan);
    free(text);
    fuzz_memory_file("", 0, path);
    FUZZ_CHECK(!wf_plan_write_svg(path, plan), "no picture");
    FILE *from = fopen(path, "re");
    text = malloc(1 << 24);
    FUZZ_CHECK(from && text, "the picture cannot be read");
    length = fread(text, 1, 1 << 24, from);
    fclose(from);
    fuzz_check_svg(text, length, plan);
    free(text);
}
