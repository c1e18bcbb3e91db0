#include "cli/workloads/name_hash.h"

#include <nlohmann/json.hpp>
#include <string>

#include "cli/files.h"
#include "cli/print/go_text.h"
#include "kernel/base/sha256.h"

namespace keelson::cli::kube {
namespace {

constexpr std::size_t kHashLetters = 10;

// Without vowels, and without digits that look like them: no words come out.
char hash_letter(char digit) {
    switch (digit) {
        case '0':
            return 'g';
        case '1':
            return 'h';
        case '3':
            return 'k';
        case 'a':
            return 'm';
        case 'e':
            return 't';
        default:
            return digit;
    }
}

// What the hash is of: an absent type of a secret is an empty text in it.
Object hashed_content(const Object& object) {
    const std::string kind = text_at(object, "kind");
    const Object& data = member(object, "data");
    Object content = {
        {"kind", kind}, {"name", name_of(object)}, {"data", data.is_object() ? data : Object::object()}};
    if (kind == "Secret") content["type"] = text_at(object, "type");
    if (const Object& binary = member(object, "binaryData"); binary.is_object())
        content["binaryData"] = binary;
    return content;
}

}  // namespace

void append_hash(Object& object) {
    std::string hash =
        base::hexadecimal(base::sha256_of(printing::go_json(hashed_content(object)))).substr(0, kHashLetters);
    for (char& letter : hash) letter = hash_letter(letter);
    object["metadata"]["name"] = name_of(object) + "-" + hash;
}

}  // namespace keelson::cli::kube
