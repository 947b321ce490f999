/* libcurl and yyjson. */
#include "curl.h"
#include "yyjson.h"
#include <stdio.h>

static yyjson_doc *parse(const char *body, size_t len)
{
    yyjson_doc *document = yyjson_read(body, len, 0);
    if (document == NULL)
        fail("yyjson", "this is no JSON");
    return document;
}

static text text_of(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return (text){yyjson_get_str(value), yyjson_get_len(value)};
}

void read_token(const char *body, size_t len, char *token, size_t size)
{
    yyjson_doc *document = parse(body, len);
    yyjson_val *attributes = yyjson_obj_get(yyjson_obj_get(yyjson_doc_get_root(document), "data"), "attributes");
    snprintf(token, size, "%s", yyjson_get_str(yyjson_obj_get(attributes, "token")));
    yyjson_doc_free(document);
}

static row read_row(yyjson_val *resource)
{
    yyjson_val *attributes = yyjson_obj_get(resource, "attributes");
    yyjson_val *locked_at = yyjson_obj_get(attributes, "lockedAt");
    yyjson_val *assistant = yyjson_obj_get(attributes, "assistant");
    yyjson_val *mode = yyjson_obj_get(attributes, "isInAssistantMode");
    yyjson_val *unread = yyjson_obj_get(attributes, "unreadMessageCount");
    yyjson_val *transferred_at = yyjson_obj_get(assistant, "transferredAt");
    row r = {
        .id = text_of(resource, "id"),
        .created_at = text_of(attributes, "createdAt"),
        .preview = text_of(attributes, "preview"),
        .last_message_at = text_of(attributes, "lastMessageAt"),
        .ended_at = text_of(attributes, "lockedAt"),
        .end_reason = text_of(attributes, "lockReason"),
        .name = text_of(attributes, "name"),
        .brand_id = text_of(attributes, "brandId"),
        .unread = yyjson_is_int(unread) ? yyjson_get_sint(unread) : -1,
        .ended = yyjson_is_null(locked_at) ? 0 : yyjson_is_str(locked_at) ? 1 : UNKNOWN,
    };
    if (r.preview.at == NULL)
        r.preview = (text){"", 0};
    r.created_at_ms = epoch_ms(r.created_at);
    r.last_message_at_ms = epoch_ms(r.last_message_at);
    r.in_assistant_mode = in_assistant_mode(yyjson_is_bool(mode) ? yyjson_get_bool(mode) : UNKNOWN, yyjson_is_obj(assistant),
                                            transferred_at != NULL && !yyjson_is_null(transferred_at), r.ended);
    return r;
}

void *read_page(const char *body, size_t len, tally *t)
{
    yyjson_doc *document = parse(body, len);
    yyjson_val *root = yyjson_doc_get_root(document);
    yyjson_val *resource;
    size_t index, count;
    yyjson_arr_foreach(yyjson_obj_get(root, "data"), index, count, resource) {
        row r = read_row(resource);
        take_row(t, &r);
    }
    take_page(t, yyjson_get_sint(yyjson_obj_get(yyjson_obj_get(root, "meta"), "total")),
              next_page(yyjson_get_str(yyjson_obj_get(yyjson_obj_get(root, "links"), "next"))));
    return document;
}

void free_page(void *document)
{
    yyjson_doc_free(document);
}
