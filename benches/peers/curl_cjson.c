/* libcurl and cJSON. */
#include "curl.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

static cJSON *parse(const char *body, size_t len)
{
    cJSON *document = cJSON_ParseWithLength(body, len);
    if (document == NULL)
        fail("cJSON", "this is no JSON");
    return document;
}

static cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static text text_of(const cJSON *object, const char *name)
{
    const char *value = cJSON_GetStringValue(member(object, name));
    return (text){value, value == NULL ? 0 : strlen(value)};
}

void read_token(const char *body, size_t len, char *token, size_t size)
{
    cJSON *document = parse(body, len);
    snprintf(token, size, "%s", cJSON_GetStringValue(member(member(member(document, "data"), "attributes"), "token")));
    cJSON_Delete(document);
}

static row read_row(const cJSON *resource)
{
    const cJSON *attributes = member(resource, "attributes");
    const cJSON *locked_at = member(attributes, "lockedAt");
    const cJSON *assistant = member(attributes, "assistant");
    const cJSON *mode = member(attributes, "isInAssistantMode");
    const cJSON *unread = member(attributes, "unreadMessageCount");
    const cJSON *transferred_at = member(assistant, "transferredAt");
    row r = {
        .id = text_of(resource, "id"),
        .created_at = text_of(attributes, "createdAt"),
        .preview = text_of(attributes, "preview"),
        .last_message_at = text_of(attributes, "lastMessageAt"),
        .ended_at = text_of(attributes, "lockedAt"),
        .end_reason = text_of(attributes, "lockReason"),
        .name = text_of(attributes, "name"),
        .brand_id = text_of(attributes, "brandId"),
        .unread = cJSON_IsNumber(unread) ? (int64_t)cJSON_GetNumberValue(unread) : -1,
        .ended = cJSON_IsNull(locked_at) ? 0 : cJSON_IsString(locked_at) ? 1 : UNKNOWN,
    };
    if (r.preview.at == NULL)
        r.preview = (text){"", 0};
    r.created_at_ms = epoch_ms(r.created_at);
    r.last_message_at_ms = epoch_ms(r.last_message_at);
    r.in_assistant_mode = in_assistant_mode(cJSON_IsBool(mode) ? cJSON_IsTrue(mode) : UNKNOWN, cJSON_IsObject(assistant),
                                            transferred_at != NULL && !cJSON_IsNull(transferred_at), r.ended);
    return r;
}

void *read_page(const char *body, size_t len, tally *t)
{
    cJSON *document = parse(body, len);
    const cJSON *resource;
    cJSON_ArrayForEach(resource, member(document, "data")) {
        row r = read_row(resource);
        take_row(t, &r);
    }
    take_page(t, (int64_t)cJSON_GetNumberValue(member(member(document, "meta"), "total")),
              next_page(cJSON_GetStringValue(member(member(document, "links"), "next"))));
    return document;
}

void free_page(void *document)
{
    cJSON_Delete(document);
}
