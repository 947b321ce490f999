/* The HTTP of the C peers: libcurl as its documentation tells to use it, one easy handle for all requests. */
#ifndef CURL_PEER_H
#define CURL_PEER_H

#include "harness.h"

/* What tells the C peers apart. */
void read_token(const char *body, size_t len, char *token, size_t size);
void *read_page(const char *body, size_t len, tally *t); /* the document, which stands as long as it is kept */
void free_page(void *document);

/* The rules by which a row is read of its attributes, where they are more than "take it". */
int in_assistant_mode(int explicit_mode, int has_assistant, int transferred, int ended);
int64_t next_page(const char *link); /* -1 for NULL */

#endif
