/* Memory that grows by half and is used again. */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

/* The capacity to grow to: at least `wanted`, and half more than there is. */
static size_t grown(size_t capacity, size_t wanted) {
    size_t more = capacity + capacity / 2;
    return more > wanted ? more : wanted;
}

bool buffer_reserve(struct buffer *buffer, size_t capacity) {
    if (capacity <= buffer->capacity)
        return true;
    capacity = grown(buffer->capacity, capacity < 4096 ? 4096 : capacity);
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t size) {
    if (!buffer_reserve(buffer, buffer->size + size))
        return false;
    if (size > 0)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    return true;
}

void buffer_release(struct buffer *buffer) {
    free(buffer->data);
    *buffer = (struct buffer){0};
}

bool token_list_reserve(struct token_list *list, size_t capacity) {
    if (capacity <= list->capacity)
        return true;
    capacity = grown(list->capacity, capacity < 1024 ? 1024 : capacity);
    if (capacity > SIZE_MAX / sizeof *list->items)
        return false;
    uint32_t *items = realloc(list->items, capacity * sizeof *items);
    if (items == NULL)
        return false;
    list->items = items;
    list->capacity = capacity;
    return true;
}

void token_list_release(struct token_list *list) {
    free(list->items);
    *list = (struct token_list){0};
}
