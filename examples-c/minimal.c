/* The least that a program needs: the previews of the first page. get_conversations.c does it with care for terminals. */
#include <kustomer.h>
#include <stdio.h>
#include <stdlib.h>

/* Gets a page or an error, never both; the accessors take a NULL page for an empty one. */
static int32_t on_page(const kustomer_response *page, const kustomer_error *error, void *user_data)
{
    (void)user_data;
    if (error != NULL)
        fprintf(stderr, "minimal: %s\n", kustomer_error_message(error, NULL));
    for (size_t i = 0; i < kustomer_response_conversation_count(page); i++)
        puts(kustomer_conversation_preview(kustomer_response_conversation(page, i), NULL));
    return 0;
}

int main(void)
{
    kustomer_init_options options = KUSTOMER_INIT_OPTIONS_INIT;
    options.api_key = getenv("KUSTOMER_API_KEY");
    options.tracking_token = getenv("KUSTOMER_TRACKING_TOKEN"); /* whose history; without it a new visitor, who has none */
    options.base_url = getenv("KUSTOMER_BASE_URL");             /* these two for the sandbox: */
    options.ca_file = getenv("KUSTOMER_CA_FILE");               /* NULL is the real service and the usual roots */

    kustomer_client *client;
    kustomer_error *error;
    kustomer_code code = kustomer_init(&options, &client, &error);
    if (code == KUSTOMER_OK)
        code = kustomer_get_conversations(client, NULL, on_page, NULL);
    else
        on_page(NULL, error, NULL);

    kustomer_error_free(error); /* both were written, if only with NULL, and freeing NULL is fine */
    kustomer_client_free(client);
    return code == KUSTOMER_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
