// Any kind: its members as lines, with their names as titles.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"
#include "cli/print/go_text.h"

namespace keelson::cli::describing {
namespace {

constexpr int kDeepest = 100;
constexpr std::string_view kAcronyms[] = {"API", "URL", "UID", "OSB", "GUID"};
constexpr std::string_view kShownElsewhere[] = {".metadata.managedFields", ".metadata.name",
                                                ".metadata.namespace", ".metadata.labels",
                                                ".metadata.annotations"};

enum class Letter { lower, upper, digit, other };

Letter kind_of(char letter) {
    const auto code = static_cast<unsigned char>(letter);
    if (std::islower(code) != 0) return Letter::lower;
    if (std::isupper(code) != 0) return Letter::upper;
    return std::isdigit(code) != 0 ? Letter::digit : Letter::other;
}

// "clusterIPs" gives cluster, I, Ps; "APIVersion" API, Version.
std::vector<std::string> camel_words(const std::string& name) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (i > 0 && kind_of(name[i]) == kind_of(name[i - 1]))
            words.back() += name[i];
        else
            words.emplace_back(1, name[i]);
    }
    // The last capital belongs to the word that follows it.
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        if (kind_of(words[i][0]) != Letter::upper || kind_of(words[i + 1][0]) != Letter::lower) continue;
        words[i + 1].insert(0, 1, words[i].back());
        words[i].pop_back();
    }
    std::erase(words, "");
    return words;
}

std::string title_of(const std::string& name) {
    for (const char letter : name)
        if (std::isalpha(static_cast<unsigned char>(letter)) == 0 && letter != '-') return name;
    std::string title;
    for (std::string word : camel_words(name)) {
        std::string upper = word;
        for (char& letter : upper)
            letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
        if (std::find(std::begin(kAcronyms), std::end(kAcronyms), upper) != std::end(kAcronyms))
            word = upper;
        else
            word[0] = upper[0];
        title += (title.empty() ? "" : " ") + word;
    }
    return title;
}

void write_members(Description& out, int level, const Json& members, const std::string& path) {
    if (level > kDeepest) return out.line(level, "...");
    for (const auto& [name, value] : members.items()) {
        const std::string here = path + "." + name;
        if (std::find(std::begin(kShownElsewhere), std::end(kShownElsewhere), here) !=
            std::end(kShownElsewhere))
            continue;
        if (value.is_object()) {
            out.line(level, title_of(name) + ":");
            write_members(out, level + 1, value, here);
        } else if (value.is_array()) {
            out.line(level, title_of(name) + ":");
            for (const Json& item : value) {
                if (item.is_object())
                    write_members(out, level + 1, item, here);
                else
                    out.line(level + 1, printing::go_text(item));
            }
        } else {
            out.field(level, title_of(name), printing::go_text(value));
        }
    }
}

}  // namespace

void describe_generic(const Context& context) {
    Description& out = context.out;
    out.field(0, "Name", kube::name_of(context.object));
    out.field(0, "Namespace", kube::namespace_of(context.object));
    write_metadata(out, context.object);
    write_members(out, 0, context.object, "");
    write_events(context);
}

}  // namespace keelson::cli::describing
