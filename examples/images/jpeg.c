/* libjpeg reports errors through a function that must not return: it jumps back into the call that began. */
#include "jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

struct handler {
    struct jpeg_error_mgr base; /* first: libjpeg knows this part */
    jmp_buf back;
    char *text; /* of the running call */
    bool damaged;
};

struct jpeg_decoder {
    struct jpeg_decompress_struct info;
    struct handler handler;
};

_Static_assert(JMSG_LENGTH_MAX >= JPEG_TEXT_BYTES, "messages are cut to the shorter");

static void keep_text(struct handler *handler, j_common_ptr info) {
    char message[JMSG_LENGTH_MAX];
    handler->base.format_message(info, message);
    snprintf(handler->text, JPEG_TEXT_BYTES, "%.*s", JPEG_TEXT_BYTES - 1, message);
}

static void fail(j_common_ptr info) {
    struct handler *handler = (struct handler *)info->err;
    keep_text(handler, info);
    longjmp(handler->back, 1);
}

/* Warnings (level -1) tell of pixels that are not what they were, but for bytes that may be skipped. The first one counts. */
static void warn(j_common_ptr info, int level) {
    struct handler *handler = (struct handler *)info->err;
    if (level >= 0 || handler->damaged || handler->base.msg_code == JWRN_EXTRANEOUS_DATA)
        return;
    handler->damaged = true;
    keep_text(handler, info);
}

static struct jpeg_error_mgr *handler_init(struct handler *handler) {
    jpeg_std_error(&handler->base);
    handler->base.error_exit = fail;
    handler->base.emit_message = warn;
    return &handler->base;
}

static bool begin(struct jpeg_decoder *decoder) {
    char text[JPEG_TEXT_BYTES];
    decoder->info.err = handler_init(&decoder->handler);
    decoder->handler.text = text;
    if (setjmp(decoder->handler.back))
        return false;
    jpeg_create_decompress(&decoder->info);
    return true;
}

struct jpeg_decoder *jpeg_decoder_create(void) {
    struct jpeg_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder || begin(decoder))
        return decoder;
    free(decoder);
    return NULL;
}

void jpeg_decoder_destroy(struct jpeg_decoder *decoder) {
    if (decoder)
        jpeg_destroy_decompress(&decoder->info);
    free(decoder);
}

/* The scale in eighths. */
static void choose_scale(struct jpeg_decompress_struct *info, uint32_t least) {
    info->scale_denom = 8;
    for (info->scale_num = least ? 1 : 8; info->scale_num < 8; info->scale_num++) {
        jpeg_calc_output_dimensions(info);
        if (info->output_width >= least && info->output_height >= least)
            return;
    }
}

/* Adobe's programs store CMYK inverted, and everybody else followed. In place: three bytes for four, front to back. */
static void cmyk_to_rgb(uint8_t *row, uint32_t width) {
    for (uint32_t x = 0; x < width; x++) {
        const uint8_t *from = row + 4 * (size_t)x;
        unsigned black = from[3];
        uint8_t rgb[3] = {(uint8_t)((from[0] * black + 127) / 255), (uint8_t)((from[1] * black + 127) / 255),
                          (uint8_t)((from[2] * black + 127) / 255)};
        memcpy(row + 3 * (size_t)x, rgb, sizeof rgb);
    }
}

/* The rows. A CMYK row is wider than its place: it is decoded into `wide` first. */
static void read_rows(struct jpeg_decompress_struct *info, uint8_t *pixels, uint8_t *wide) {
    size_t stride = 3 * (size_t)info->output_width;
    while (info->output_scanline < info->output_height) {
        uint8_t *place = pixels + stride * info->output_scanline, *row = wide ? wide : place;
        jpeg_read_scanlines(info, &row, 1);
        if (wide) {
            cmyk_to_rgb(wide, info->output_width);
            memcpy(place, wide, stride);
        }
    }
}

static bool refuse(struct jpeg_decoder *decoder, const char *why) {
    snprintf(decoder->handler.text, JPEG_TEXT_BYTES, "%s", why);
    jpeg_abort_decompress(&decoder->info);
    return false;
}

bool jpeg_decode(struct jpeg_decoder *decoder, const void *file, size_t bytes, uint32_t least, uint64_t most,
                 jpeg_allocate_fn allocate, void *arg, struct image *image, char *text) {
    struct jpeg_decompress_struct *info = &decoder->info;
    decoder->handler.text = text;
    decoder->handler.damaged = false;
    if (setjmp(decoder->handler.back)) {
        jpeg_abort_decompress(info);
        return false;
    }
    jpeg_mem_src(info, file, (unsigned long)bytes);
    jpeg_read_header(info, TRUE);
    if ((uint64_t)info->image_width * info->image_height > most) {
        snprintf(text, JPEG_TEXT_BYTES, "%u x %u pixels are too many", info->image_width, info->image_height);
        jpeg_abort_decompress(info);
        return false;
    }
    bool cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    choose_scale(info, least);
    jpeg_start_decompress(info);
    size_t stride = 3 * (size_t)info->output_width;
    uint8_t *pixels = allocate(arg, stride * info->output_height);
    uint8_t *wide = cmyk ? allocate(arg, 4 * (size_t)info->output_width) : NULL;
    if (!pixels || (cmyk && !wide))
        return refuse(decoder, "no memory for its pixels");
    read_rows(info, pixels, wide);
    *image = (struct image){info->output_width, info->output_height, pixels, info->image_width, info->image_height};
    jpeg_finish_decompress(info);
    return !decoder->handler.damaged;
}

static void encode(struct jpeg_compress_struct *info, const struct image *image, const struct jpeg_format *format) {
    info->image_width = image->width;
    info->image_height = image->height;
    info->input_components = 3;
    info->in_color_space = JCS_RGB;
    jpeg_set_defaults(info);
    if (format->grey)
        jpeg_set_colorspace(info, JCS_GRAYSCALE);
    jpeg_set_quality(info, format->quality, TRUE);
    info->comp_info[0].h_samp_factor = format->grey ? 1 : format->horizontal;
    info->comp_info[0].v_samp_factor = format->grey ? 1 : format->vertical;
    info->restart_in_rows = (int)format->restart_rows;
    if (format->progressive)
        jpeg_simple_progression(info);
    jpeg_start_compress(info, TRUE);
    while (info->next_scanline < info->image_height) {
        uint8_t *row = image->pixels + 3 * (size_t)image->width * info->next_scanline;
        jpeg_write_scanlines(info, &row, 1);
    }
    jpeg_finish_compress(info);
}

/* What is to be freed after a jump lies here, in memory that the jump leaves as it is. */
struct encoding {
    struct jpeg_compress_struct info;
    struct handler handler;
    unsigned char *file;
    unsigned long bytes;
};

bool jpeg_encode(const struct image *image, const struct jpeg_format *format, void **file, size_t *bytes) {
    char text[JPEG_TEXT_BYTES];
    struct encoding encoding = {.handler = {.text = text}};
    encoding.info.err = handler_init(&encoding.handler);
    if (setjmp(encoding.handler.back)) {
        jpeg_destroy_compress(&encoding.info);
        free(encoding.file);
        return false;
    }
    jpeg_create_compress(&encoding.info);
    jpeg_mem_dest(&encoding.info, &encoding.file, &encoding.bytes);
    encode(&encoding.info, image, format);
    jpeg_destroy_compress(&encoding.info);
    *file = encoding.file;
    *bytes = encoding.bytes;
    return true;
}
