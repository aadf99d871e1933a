/*
 * Reads the part of XML that hwloc writes (tags, attributes, text; prolog and comments are skipped) and refuses the rest:
 * processing instructions, entity definitions, CDATA, markup inside values. Spans point into the caller's text.
 * Threading: one reader, one thread.
 */
#ifndef WF_MACHINE_XML_READER_H
#define WF_MACHINE_XML_READER_H

#include <stdbool.h>
#include <stddef.h>

#define WF_XML_ATTRIBUTES_MOST 24

struct wf_span {
    const char *bytes;
    size_t length;
};

struct wf_xml_attribute {
    struct wf_span name, value; /* the value as it is written, references and all */
};

enum wf_xml_kind { WF_XML_OPEN, WF_XML_EMPTY, WF_XML_CLOSE, WF_XML_END };

struct wf_xml_tag {
    enum wf_xml_kind kind;
    struct wf_span name;
    struct wf_span before; /* text between the tag before and this one */
    struct wf_xml_attribute attributes[WF_XML_ATTRIBUTES_MOST];
    unsigned attribute_count;
};

struct wf_xml_reader {
    const char *text, *at, *end; /* [text, end); *end is 0 and no other byte is */
    const char *fault;           /* what is wrong at `at`; static */
};

/* The next tag, or END behind the last; false: reader->fault says what is wrong. */
bool wf_xml_next(struct wf_xml_reader *reader, struct wf_xml_tag *tag);

/* Line of the text where the reader stands, from 1. */
unsigned wf_xml_line(const struct wf_xml_reader *reader);

bool wf_span_is(struct wf_span span, const char *word);

/* The value of an attribute; NULL if the tag has none of that name. */
const struct wf_span *wf_xml_value(const struct wf_xml_tag *tag, const char *name);

#endif
