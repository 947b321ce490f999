#include "curl.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct client {
    const arguments *arguments;
    CURL *curl;
    struct curl_slist *headers;
    char token[1024];
    char *body;
    size_t len, capacity;
    void **kept;
    size_t count;
};

static size_t on_body(char *bytes, size_t size, size_t count, void *user_data)
{
    client *c = user_data;
    size *= count;
    if (c->len + size > c->capacity) {
        c->capacity = 2 * (c->len + size);
        c->body = realloc(c->body, c->capacity);
        if (c->body == NULL)
            return 0;
    }
    memcpy(c->body + c->len, bytes, size);
    c->len += size;
    return size;
}

static void get(client *c, const char *path)
{
    char url[512];
    snprintf(url, sizeof url, "%s%s", c->arguments->base_url, path);
    c->len = 0;
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
    CURLcode code = curl_easy_perform(c->curl);
    long status = 0;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200)
        fail(path, curl_easy_strerror(code));
}

static void connection(client *c)
{
    c->curl = curl_easy_init();
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->curl, CURLOPT_CAINFO, c->arguments->ca_file);
    curl_easy_setopt(c->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, 30000L);
    c->headers = curl_slist_append(c->headers, "Accept: application/json");
    c->headers = curl_slist_append(c->headers, "X-Kustomer: kustomer");
    c->headers = curl_slist_append(c->headers, "x-kustomer-client: bench");
    c->headers = curl_slist_append(c->headers, "x-kustomer-version: release-v0");
}

static void show_token(client *c)
{
    char header[1100];
    snprintf(header, sizeof header, "x-kustomer-tracking-token: %s", c->token);
    c->headers = curl_slist_append(c->headers, header);
}

client *client_open(const arguments *a)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    client *c = calloc(1, sizeof *c);
    c->arguments = a;
    if (a->keep)
        c->kept = calloc((size_t)a->pages, sizeof *c->kept);
    connection(c);
    get(c, "/p/v1/chat/settings");
    get(c, "/c/v1/tracking/tokens/current");
    read_token(c->body, c->len, c->token, sizeof c->token);
    show_token(c);
    return c;
}

client *client_for_thread(client *c)
{
    client *mine = calloc(1, sizeof *mine);
    mine->arguments = c->arguments;
    connection(mine);
    memcpy(mine->token, c->token, sizeof c->token);
    show_token(mine);
    return mine;
}

void client_close(client *c)
{
    curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->headers);
    for (size_t i = 0; i < c->count; i++)
        free_page(c->kept[i]);
    free(c->kept);
    free(c->body);
    free(c);
}

void client_page(client *c, int page, tally *t)
{
    char path[128];
    snprintf(path, sizeof path, "/c/v1/chat/sessions?page=%d&pageSize=%d", page, c->arguments->page_size);
    get(c, path);
    void *document = read_page(c->body, c->len, t);
    if (c->kept != NULL)
        c->kept[c->count++] = document;
    else
        free_page(document);
}

void client_walk(client *c, int from, int pages, tally *t)
{
    for (int page = from; page < from + pages; page++)
        client_page(c, page, t);
}

int in_assistant_mode(int explicit_mode, int has_assistant, int transferred, int ended)
{
    if (explicit_mode != UNKNOWN)
        return explicit_mode;
    return has_assistant ? ended != 1 && !transferred : UNKNOWN;
}

int64_t next_page(const char *link)
{
    const char *page = link == NULL ? NULL : strstr(link, "page=");
    return page == NULL ? -1 : atoll(page + 5);
}
