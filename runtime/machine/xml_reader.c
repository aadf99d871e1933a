/* A reader without memory of its own: what it has read it gives as spans of the text. */
#include "machine/xml_reader.h"

#include <string.h>

#include "base/compiler.h"

/* The references that both of hwloc's XML parsers understand. */
static const char *const references[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#9;", "&#10;", "&#13;"};

static bool fail(struct wf_xml_reader *reader, const char *fault) {
    reader->fault = fault;
    return false;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void skip_spaces(struct wf_xml_reader *reader) {
    while (is_space(*reader->at))
        reader->at++;
}

/* Skip to behind `mark`, which closes what began. */
static bool skip_behind(struct wf_xml_reader *reader, const char *mark, const char *fault) {
    const char *found = strstr(reader->at, mark);
    if (!found)
        return fail(reader, fault);
    reader->at = found + strlen(mark);
    return true;
}

static struct wf_span read_name(struct wf_xml_reader *reader) {
    struct wf_span name = {reader->at, 0};
    while (is_name(*reader->at))
        reader->at++;
    name.length = (size_t)(reader->at - name.bytes);
    return name;
}

/* One reference at *at, which moves behind it. */
static bool known_reference(const char **at) {
    for (unsigned i = 0; i < WF_ARRAY_LENGTH(references); i++) {
        size_t length = strlen(references[i]);
        if (!strncmp(*at, references[i], length)) {
            *at += length;
            return true;
        }
    }
    return false;
}

/* Length of the sequence that begins here, 0 if that is no character XML allows (Unicode 15, table 3-7; XML 1.0, 2.2). */
static size_t character_bytes(const char *at) {
    const unsigned char *c = (const unsigned char *)at;
    if (c[0] < 0x80)
        return c[0] >= ' ' || is_space(*at);
    size_t length = c[0] >= 0xc2 && c[0] <= 0xdf ? 2 : c[0] >= 0xe0 && c[0] <= 0xef ? 3 : c[0] >= 0xf0 && c[0] <= 0xf4 ? 4 : 0;
    for (size_t i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool beyond = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) ||
                  (c[0] == 0xf4 && c[1] > 0x8f);
    return beyond || (c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe) ? 0 : length;
}

/* Characters up to `stop`, which is left standing; false with the fault set. */
static bool read_characters(struct wf_xml_reader *reader, char stop, struct wf_span *span) {
    span->bytes = reader->at;
    while (*reader->at != stop) {
        if (*reader->at == '<' || *reader->at == '>' || reader->at == reader->end)
            return fail(reader, "a value or text without its end");
        if (*reader->at == '&') {
            if (!known_reference(&reader->at))
                return fail(reader, "a reference other than &lt; &gt; &amp; &quot; &#9; &#10; &#13;");
            continue;
        }
        size_t bytes = character_bytes(reader->at);
        if (!bytes)
            return fail(reader, "a byte that is no UTF-8 text");
        reader->at += bytes;
    }
    span->length = (size_t)(reader->at - span->bytes);
    return true;
}

static bool read_attribute(struct wf_xml_reader *reader, struct wf_xml_tag *tag) {
    if (tag->attribute_count == WF_XML_ATTRIBUTES_MOST)
        return fail(reader, "a tag with too many attributes");
    struct wf_xml_attribute *attribute = &tag->attributes[tag->attribute_count];
    attribute->name = read_name(reader);
    for (unsigned i = 0; i < tag->attribute_count; i++)
        if (tag->attributes[i].name.length == attribute->name.length &&
            !memcmp(tag->attributes[i].name.bytes, attribute->name.bytes, attribute->name.length))
            return fail(reader, "an attribute that is there twice");
    if (!attribute->name.length || reader->at[0] != '=' || reader->at[1] != '"')
        return fail(reader, "an attribute that is not of the form name=\"value\"");
    reader->at += 2;
    if (!read_characters(reader, '"', &attribute->value))
        return false;
    reader->at++;
    tag->attribute_count++;
    return true;
}

static bool read_tag(struct wf_xml_reader *reader, struct wf_xml_tag *tag) {
    tag->attribute_count = 0;
    tag->kind = reader->at[1] == '/' ? WF_XML_CLOSE : WF_XML_OPEN;
    reader->at += tag->kind == WF_XML_CLOSE ? 2 : 1;
    tag->name = read_name(reader);
    if (!tag->name.length)
        return fail(reader, "a tag without a name");
    for (;;) {
        bool space = is_space(*reader->at);
        skip_spaces(reader);
        if (*reader->at == '>' || (*reader->at == '/' && reader->at[1] == '>' && tag->kind == WF_XML_OPEN))
            break;
        if (!space || tag->kind == WF_XML_CLOSE)
            return fail(reader, "a tag that is not closed");
        if (!read_attribute(reader, tag))
            return false;
    }
    if (*reader->at == '/')
        tag->kind = WF_XML_EMPTY;
    reader->at += tag->kind == WF_XML_EMPTY ? 2 : 1;
    return true;
}

/* What stands before the first tag, and comments wherever they are. */
static bool skip_markup(struct wf_xml_reader *reader, bool *skipped) {
    bool first = reader->at == reader->text || !memchr(reader->text, '<', (size_t)(reader->at - reader->text));
    *skipped = true;
    if (!strncmp(reader->at, "<!--", 4))
        return skip_behind(reader, "-->", "a comment without its end");
    if (first && !strncmp(reader->at, "<?xml ", 6))
        return skip_behind(reader, "?>", "a declaration without its end");
    if (!strncmp(reader->at, "<!DOCTYPE ", 10)) {
        const char *end = strchr(reader->at, '>');
        if (!end || memchr(reader->at, '[', (size_t)(end - reader->at)))
            return fail(reader, "a document type with definitions of its own");
        reader->at = end + 1;
        return true;
    }
    if (reader->at[1] == '!' || reader->at[1] == '?')
        return fail(reader, "markup that hwloc does not write");
    *skipped = false;
    return true;
}

bool wf_xml_next(struct wf_xml_reader *reader, struct wf_xml_tag *tag) {
    for (bool skipped = true; skipped;) {
        tag->before = (struct wf_span){reader->at, 0};
        if (!memchr(reader->at, '<', (size_t)(reader->end - reader->at))) {
            skip_spaces(reader);
            tag->kind = WF_XML_END;
            return reader->at == reader->end || fail(reader, "text behind the last tag");
        }
        if (!read_characters(reader, '<', &tag->before) || !skip_markup(reader, &skipped))
            return false;
    }
    return read_tag(reader, tag);
}

unsigned wf_xml_line(const struct wf_xml_reader *reader) {
    unsigned line = 1;
    for (const char *at = reader->text; at < reader->at; at++)
        line += *at == '\n';
    return line;
}

bool wf_span_is(struct wf_span span, const char *word) {
    return strlen(word) == span.length && !memcmp(span.bytes, word, span.length);
}

const struct wf_span *wf_xml_value(const struct wf_xml_tag *tag, const char *name) {
    for (unsigned i = 0; i < tag->attribute_count; i++)
        if (wf_span_is(tag->attributes[i].name, name))
            return &tag->attributes[i].value;
    return NULL;
}
