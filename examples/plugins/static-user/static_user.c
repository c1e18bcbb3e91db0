/* Users with fixed tokens, from the configuration: {"users": [{"token", "username", "groups"?: []}]}. Plain
 * C99 against the C headers; json-c reads and writes the documents. */
#include <json-c/json.h>
#include <keelson/auth.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Between create and destroy; users is the configuration's list, null while the plugin is not started. */
struct static_user {
    struct json_object* users;
};

static int32_t answer(struct keelson_reply* reply, struct json_object* document) {
    size_t size = 0;
    const char* text = json_object_to_json_string_length(document, JSON_C_TO_STRING_PLAIN, &size);
    if (text != NULL) reply->write(reply->context, text, size);
    json_object_put(document);
    return text != NULL ? KEELSON_OK : KEELSON_EXHAUSTED;
}

static int32_t fail(struct keelson_reply* reply, int32_t status, const char* message, const char* field) {
    struct json_object* document = json_object_new_object();
    json_object_object_add(document, "message", json_object_new_string(message));
    if (field != NULL) json_object_object_add(document, "field", json_object_new_string(field));
    answer(reply, document);
    return status;
}

/* The request as an object, or null; the caller gives it back with json_object_put(). */
static struct json_object* parse(struct keelson_bytes request) {
    struct json_tokener* tokener;
    struct json_object* document;
    if (request.size == 0 || request.size > INT_MAX) return NULL;
    tokener = json_tokener_new();
    if (tokener == NULL) return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    document = json_tokener_parse_ex(tokener, request.data, (int)request.size);
    /* A number at the end would wait for more digits; an object is complete. */
    if (json_tokener_get_error(tokener) != json_tokener_success ||
        !json_object_is_type(document, json_type_object)) {
        json_object_put(document);
        document = NULL;
    }
    json_tokener_free(tokener);
    return document;
}

/* The member when it is of that type, or null. */
static struct json_object* member(struct json_object* object, const char* name, enum json_type type) {
    struct json_object* found = NULL;
    json_object_object_get_ex(object, name, &found);
    return json_object_is_type(found, type) ? found : NULL;
}

/* Takes the same time wherever the two differ. */
static int same_token(struct json_object* left, struct json_object* right) {
    const char* left_text = json_object_get_string(left);
    const char* right_text = json_object_get_string(right);
    const int size = json_object_get_string_len(left);
    unsigned char difference = 0;
    int at;
    if (size != json_object_get_string_len(right)) return 0;
    for (at = 0; at < size; ++at) difference |= (unsigned char)(left_text[at] ^ right_text[at]);
    return difference == 0;
}

/* What is wrong with the list, or null. */
static const char* problem_of(struct json_object* users) {
    size_t at;
    if (users == NULL) return "users must be a list";
    for (at = 0; at < json_object_array_length(users); ++at) {
        struct json_object* user = json_object_array_get_idx(users, at);
        struct json_object* token = member(user, "token", json_type_string);
        struct json_object* groups = member(user, "groups", json_type_array);
        if (token == NULL || json_object_get_string_len(token) < 16)
            return "each user needs a token of at least 16 characters";
        if (member(user, "username", json_type_string) == NULL) return "each user needs a username";
        if (groups == NULL && json_object_object_get_ex(user, "groups", NULL)) return "groups must be a list";
    }
    return NULL;
}

static int32_t start(void* instance, const struct keelson_call* call, struct keelson_bytes request,
                     struct keelson_reply* reply) {
    struct static_user* self = instance;
    struct json_object* configuration = parse(request);
    struct json_object* users = member(configuration, "users", json_type_array);
    const char* problem = problem_of(users);
    (void)call;
    if (problem == NULL) self->users = json_object_get(users);
    json_object_put(configuration);
    if (problem != NULL) return fail(reply, KEELSON_INVALID, problem, "users");
    return answer(reply, json_object_new_object());
}

static int32_t stop(void* instance, const struct keelson_call* call, struct keelson_bytes request,
                    struct keelson_reply* reply) {
    struct static_user* self = instance;
    (void)call;
    (void)request;
    json_object_put(self->users);
    self->users = NULL;
    return answer(reply, json_object_new_object());
}

static int32_t health(void* instance, const struct keelson_call* call, struct keelson_bytes request,
                      struct keelson_reply* reply) {
    struct json_object* document = json_object_new_object();
    (void)instance;
    (void)call;
    (void)request;
    json_object_object_add(document, "healthy", json_object_new_boolean(1));
    return answer(reply, document);
}

static struct json_object* find_user(const struct static_user* self, struct json_object* token) {
    size_t at;
    for (at = 0; at < json_object_array_length(self->users); ++at) {
        struct json_object* user = json_object_array_get_idx(self->users, at);
        if (same_token(member(user, "token", json_type_string), token)) return user;
    }
    return NULL;
}

/* Several threads are here at once, and json-c's counts of references are not for that: the user's values are
 * copied, not shared. */
static struct json_object* describe(struct json_object* user) {
    struct json_object* described = json_object_new_object();
    struct json_object* username = member(user, "username", json_type_string);
    struct json_object* groups = member(user, "groups", json_type_array);
    struct json_object* copies = json_object_new_array();
    size_t at;
    for (at = 0; groups != NULL && at < json_object_array_length(groups); ++at) {
        struct json_object* group = json_object_array_get_idx(groups, at);
        json_object_array_add(copies, json_object_new_string(json_object_get_string(group)));
    }
    json_object_object_add(described, "username", json_object_new_string(json_object_get_string(username)));
    json_object_object_add(described, "groups", copies);
    json_object_object_add(described, "extra", json_object_new_object());
    return described;
}

static int32_t authenticate(void* instance, const struct keelson_call* call, struct keelson_bytes bytes,
                            struct keelson_reply* reply) {
    const struct static_user* self = instance;
    struct json_object* request = parse(bytes);
    struct json_object* token = member(request, "token", json_type_string);
    struct json_object* user;
    struct json_object* document;
    (void)call;
    if (request == NULL) return fail(reply, KEELSON_INVALID, "the request is not a JSON object", NULL);
    if (self->users == NULL) {
        json_object_put(request);
        return fail(reply, KEELSON_INTERNAL, "the plugin is not started", NULL);
    }
    user = token != NULL ? find_user(self, token) : NULL;
    document = json_object_new_object();
    json_object_object_add(document, "authenticated", json_object_new_boolean(user != NULL));
    json_object_object_add(document, "ttlSeconds", json_object_new_int(user != NULL ? 60 : 0));
    if (user != NULL) json_object_object_add(document, "user", describe(user));
    json_object_put(request);
    return answer(reply, document);
}

static const struct keelson_authenticator authenticator = {sizeof(authenticator), authenticate};

static const void* capability(void* instance, const char* id) {
    (void)instance;
    return strcmp(id, KEELSON_AUTHENTICATOR) == 0 ? &authenticator : NULL;
}

static void destroy(void* instance) {
    struct static_user* self = instance;
    json_object_put(self->users);
    free(self);
}

static int32_t create(uint32_t abi, const struct keelson_host* host, struct keelson_instance* instance,
                      struct keelson_reply* error) {
    struct static_user* self;
    (void)host;
    if (abi != 1) return fail(error, KEELSON_UNSUPPORTED, "this plugin knows version 1 of the ABI", NULL);
    self = calloc(1, sizeof(*self));
    if (self == NULL) return fail(error, KEELSON_EXHAUSTED, "out of memory", NULL);
    instance->struct_size = sizeof(*instance);
    instance->self = self;
    instance->start = start;
    instance->stop = stop;
    instance->health = health;
    instance->capability = capability;
    instance->destroy = destroy;
    return KEELSON_OK;
}

static const struct keelson_entry entry = {
    sizeof(entry), KEELSON_ABI_MINIMUM, KEELSON_ABI_MAXIMUM, "com.example.static-user", "1.0.0", create};

const struct keelson_entry* keelson_plugin(void) {
    return &entry;
}
