#include "cli/kube/image_reference.h"

#include <regex>

namespace keelson::cli::kube {
namespace {

// Longer names are none, and the matcher needs stack for every character.
constexpr std::size_t kLongestName = 1024;

}  // namespace

bool is_image_reference(const std::string& text) {
    static const std::string kLabel = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
    static const std::string kHost =
        "(?:" + kLabel + "(?:\\." + kLabel + ")*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?";
    static const std::string kPart = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
    static const std::string kTag = ":[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}";
    static const std::string kDigest =
        "@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
    static const std::regex kReference("(?:" + kHost + "/)?" + kPart + "(?:/" + kPart + ")*(?:" + kTag +
                                       ")?(?:" + kDigest + ")?");
    return text.size() <= kLongestName && std::regex_match(text, kReference);
}

}  // namespace keelson::cli::kube
