/*
 * A thin pen over libxml2's writer: boxes, words, and one sticky error, so that drawing code needs no checks.
 * Threading: one thread per picture.
 */
#ifndef WF_CLI_SVG_H
#define WF_CLI_SVG_H

#include <libxml/xmlwriter.h>
#include <stdbool.h>

struct wf_svg {
    xmlBufferPtr buffer;
    xmlTextWriterPtr writer;
    bool failed;
};

struct wf_box {
    int x, y, width, height;
};

/* Begin a picture of this size; `style` is CSS for the classes that boxes and words name. */
void wf_svg_begin(struct wf_svg *svg, int width, int height, const char *title, const char *style);

/* A rectangle with rounded corners. */
void wf_svg_box(struct wf_svg *svg, const char *class_name, struct wf_box box);

/* Words, their baseline starting at (x, y) or, with "middle" in the class's style, centred there. */
__attribute__((format(printf, 5, 6))) void wf_svg_words(struct wf_svg *svg, const char *class_name, int x, int y,
                                                        const char *format, ...);

/* End the picture and write it to `path` ("-": standard output). 0, or -1 with errno set. Releases everything. */
int wf_svg_end(struct wf_svg *svg, const char *path);

#endif
