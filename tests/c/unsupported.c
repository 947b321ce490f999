/* What this release does not do yet says so. To be deleted with the release that brings them. */
#include "check.h"

struct seen {
    int responses;
    int errors;
    kustomer_code code;
};

static int32_t note(const kustomer_response *response, const kustomer_error *error, void *user_data)
{
    struct seen *seen = (struct seen *)user_data;
    seen->responses += response != NULL;
    seen->errors += error != NULL;
    seen->code = kustomer_error_code(error);
    return 0;
}

static void prefetch_is_unsupported(kustomer_client *client)
{
    kustomer_get_conversations_options options = all_pages();
    struct seen seen = {0, 0, KUSTOMER_OK};
    kustomer_pager *pager = POISON(kustomer_pager);
    kustomer_error *error = POISON(kustomer_error);
    options.prefetch = 1;
    CHECK_CODE(kustomer_get_conversations(client, &options, note, &seen), KUSTOMER_ERROR_UNSUPPORTED);
    CHECK(seen.responses == 0 && seen.errors == 1 && seen.code == KUSTOMER_ERROR_UNSUPPORTED);
    CHECK_FAILS(kustomer_pager_new(client, &options, &pager, &error), &error, KUSTOMER_ERROR_UNSUPPORTED, "`prefetch`");
    CHECK(pager == NULL);
    options.all_pages = 0;
    options.prefetch = 16;
    CHECK_FAILS(kustomer_pager_new(client, &options, &pager, &error), &error, KUSTOMER_ERROR_UNSUPPORTED, "`prefetch`");
}

int main(void)
{
    kustomer_client *client = test_client();
    prefetch_is_unsupported(client);
    CHECK(list_all(client).rows == ALL_ROWS); /* and what it does, it still does */
    kustomer_client_free(client);
    return check_report();
}
