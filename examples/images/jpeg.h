/* JPEG files in memory, to and from pixels, by libjpeg. */
#ifndef IMAGES_JPEG_H
#define IMAGES_JPEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JPEG_TEXT_BYTES = 100 };

/** What one thread needs to decode; used again from image to image. */
struct jpeg_decoder;

/** NULL: out of memory. */
struct jpeg_decoder *jpeg_decoder_create(void);
void jpeg_decoder_destroy(struct jpeg_decoder *decoder);

/** An image: `height` rows of `width` pixels of red, green, blue. */
struct image {
    uint32_t width, height;
    uint8_t *pixels;
    uint32_t file_width, file_height; /* before it was scaled */
};

/** Where pixels go. NULL: no room. */
typedef void *(*jpeg_allocate_fn)(void *arg, size_t bytes);

/**
 * Decode a file. Grey and CMYK become RGB.
 *
 * @param least  decode at the smallest of 1/8 to 8/8 of the size at which both edges are at least this long (the decoder then skips
 *               part of its work); 0: at full size.
 * @param most   pixels of the file at most.
 * @param text   [out] JPEG_TEXT_BYTES: what is wrong, in the decoder's words.
 * @return false: it is no JPEG file, broken, cut short, or too large. What was decoded of it is not used.
 */
bool jpeg_decode(struct jpeg_decoder *decoder, const void *file, size_t bytes, uint32_t least, uint64_t most,
                 jpeg_allocate_fn allocate, void *arg, struct image *image, char *text);

/** How an image is to be stored. */
struct jpeg_format {
    int quality;              /* 1 to 100 */
    int horizontal, vertical; /* chroma subsampling: 1 or 2 */
    bool grey, progressive;
    unsigned restart_rows; /* rows of blocks between restart markers; 0: none */
};

/** Encode. *file: malloc()ed. false: out of memory. */
bool jpeg_encode(const struct image *image, const struct jpeg_format *format, void **file, size_t *bytes);

#endif
