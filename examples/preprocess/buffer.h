/* Memory that grows and is used again: one set per worker, so that analysing a document allocates nothing once warm. */
#ifndef PREPROCESS_BUFFER_H
#define PREPROCESS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes. size is what is in use, capacity what is there. */
struct buffer {
    uint8_t *data;
    size_t size, capacity;
};

/** Room for at least `capacity` bytes; what was there stays. False: out of memory, nothing changed. */
bool buffer_reserve(struct buffer *buffer, size_t capacity);

/** Put bytes at the end. False: out of memory. */
bool buffer_append(struct buffer *buffer, const void *bytes, size_t size);

void buffer_release(struct buffer *buffer);

/** Token hashes. */
struct token_list {
    uint32_t *items;
    size_t count, capacity;
};

/** Room for at least `capacity` tokens. False: out of memory, nothing changed. */
bool token_list_reserve(struct token_list *list, size_t capacity);

void token_list_release(struct token_list *list);

#endif
