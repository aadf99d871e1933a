/* Draws into memory and writes the file at the end, so that a failed picture leaves no half of one. */
#include "cli/svg.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void check(struct wf_svg *svg, int result) {
    svg->failed |= result < 0;
}

static void attribute(struct wf_svg *svg, const char *name, int value) {
    check(svg, xmlTextWriterWriteFormatAttribute(svg->writer, BAD_CAST name, "%d", value));
}

static void attribute_text(struct wf_svg *svg, const char *name, const char *value) {
    check(svg, xmlTextWriterWriteAttribute(svg->writer, BAD_CAST name, BAD_CAST value));
}

static void open_element(struct wf_svg *svg, const char *name) {
    check(svg, xmlTextWriterStartElement(svg->writer, BAD_CAST name));
}

static void close_element(struct wf_svg *svg) {
    check(svg, xmlTextWriterEndElement(svg->writer));
}

void wf_svg_begin(struct wf_svg *svg, int width, int height, const char *title, const char *style) {
    svg->buffer = xmlBufferCreate();
    svg->writer = svg->buffer ? xmlNewTextWriterMemory(svg->buffer, 0) : NULL;
    svg->failed = !svg->writer;
    if (svg->failed)
        return;
    xmlTextWriterSetIndent(svg->writer, 1);
    check(svg, xmlTextWriterStartDocument(svg->writer, NULL, "UTF-8", NULL));
    open_element(svg, "svg");
    attribute_text(svg, "xmlns", "http://www.w3.org/2000/svg");
    attribute(svg, "width", width);
    attribute(svg, "height", height);
    check(svg, xmlTextWriterWriteFormatAttribute(svg->writer, BAD_CAST "viewBox", "0 0 %d %d", width, height));
    check(svg, xmlTextWriterWriteElement(svg->writer, BAD_CAST "title", BAD_CAST title));
    check(svg, xmlTextWriterWriteElement(svg->writer, BAD_CAST "style", BAD_CAST style));
}

void wf_svg_box(struct wf_svg *svg, const char *class_name, struct wf_box box) {
    if (svg->failed)
        return;
    open_element(svg, "rect");
    attribute_text(svg, "class", class_name);
    attribute(svg, "x", box.x);
    attribute(svg, "y", box.y);
    attribute(svg, "width", box.width);
    attribute(svg, "height", box.height);
    attribute(svg, "rx", 5);
    close_element(svg);
}

void wf_svg_words(struct wf_svg *svg, const char *class_name, int x, int y, const char *format, ...) {
    if (svg->failed)
        return;
    va_list args;
    va_start(args, format);
    open_element(svg, "text");
    attribute_text(svg, "class", class_name);
    attribute(svg, "x", x);
    attribute(svg, "y", y);
    check(svg, xmlTextWriterWriteVFormatString(svg->writer, format, args));
    close_element(svg);
    va_end(args);
}

static int write_file(const char *path, const xmlChar *bytes, size_t length) {
    FILE *file = strcmp(path, "-") ? fopen(path, "we") : stdout;
    if (!file)
        return -1;
    bool failed = fwrite(bytes, 1, length, file) != length;
    failed |= (file == stdout ? fflush(file) : fclose(file)) != 0;
    return failed ? -1 : 0;
}

int wf_svg_end(struct wf_svg *svg, const char *path) {
    if (svg->writer) {
        check(svg, xmlTextWriterEndDocument(svg->writer));
        xmlFreeTextWriter(svg->writer); /* flushes into the buffer */
    }
    int result = -1;
    if (svg->failed)
        errno = ENOMEM; /* what else can go wrong in memory */
    else
        result = write_file(path, xmlBufferContent(svg->buffer), (size_t)xmlBufferLength(svg->buffer));
    int error = errno;
    if (svg->buffer)
        xmlBufferFree(svg->buffer);
    errno = error;
    return result;
}
