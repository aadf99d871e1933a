/* From bytes to normalised text to tokens. Pure functions; README.md states the rules byte by byte. */
#ifndef PREPROCESS_TEXT_H
#define PREPROCESS_TEXT_H

#include "buffer.h"

enum text_status { TEXT_FINE, TEXT_BINARY, TEXT_BROKEN, TEXT_NO_MEMORY };

/**
 * Normalise the UTF-8 text in `raw`: without byte order mark, line ends as LF, Unicode normalisation form C.
 *
 * @param raw     the bytes; changed. Afterwards it may or may not be the text.
 * @param spare   a second buffer, used where the text must be rewritten.
 * @param text    [out] points to raw or to spare, whichever holds the normalised text.
 * @param broken  [out] TEXT_BROKEN: where in raw the first broken sequence begins.
 */
enum text_status text_normalise(struct buffer *raw, struct buffer *spare, struct buffer **text, size_t *broken);

/** Length of the longest valid UTF-8 prefix, in bytes. */
size_t text_valid_prefix(const struct buffer *text);

/** Replace what is in `tokens` by the hashes of the tokens of a valid UTF-8 text. False: out of memory. */
bool text_tokenise(const struct buffer *text, struct token_list *tokens);

#endif
