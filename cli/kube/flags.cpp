#include "cli/kube/flags.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include "kernel/object/time_format.h"

namespace keelson::cli::kube {
namespace {

Result<bool> read_bool(const std::string& text) {
    for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"})
        if (text == yes) return true;
    for (const char* no : {"0", "f", "F", "FALSE", "false", "False"})
        if (text == no) return false;
    return fail("strconv.ParseBool: parsing \"" + text + "\": invalid syntax");
}

Result<std::int64_t> read_number(const std::string& text) {
    std::int64_t number = 0;
    const char* last = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), last, number);
    if (error != std::errc() || at != last || text.empty())
        return fail("strconv.ParseInt: parsing \"" + text + "\": invalid syntax");
    return number;
}

// A later use of a list adds to it, the first replaces its default.
template <typename Add>
Flags::Set into_list(std::vector<std::string>& target, Add add) {
    return [&target, add, is_first = std::make_shared<bool>(true)](const std::string& value) -> Result<void> {
        if (std::exchange(*is_first, false)) target.clear();
        add(target, value);
        return {};
    };
}

}  // namespace

Result<std::int64_t> read_duration(const std::string& text, bool may_lack_unit) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    if (may_lack_unit)
        if (const auto seconds = read_number(text)) return *seconds * kSecond;
    const auto parsed = object::parse_duration(text);
    if (!parsed) return fail(parsed.error().message());
    return *parsed;
}

Flags::Flag& Flags::add(std::string_view names, std::string_view type, std::string_view help, Set set) {
    Flag flag;
    if (names.size() > 2 && names[1] == ',') {
        flag.letter = names.substr(0, 1);
        names.remove_prefix(2);
    }
    flag.name = names;
    flag.type = type;
    flag.help = help;
    flag.is_global = is_in_globals_;
    flag.set = std::move(set);
    return flags_.emplace_back(std::move(flag));
}

Flags::Flag& Flags::flag(std::string_view names, bool& target, std::string_view help) {
    Flag& added = add(names, "", help, [&target](const std::string& value) -> Result<void> {
        const auto read = read_bool(value);
        if (!read) return pass_on(read);
        target = *read;
        return {};
    });
    added.is_bare_allowed = true;
    added.when_bare = "true";
    added.fallback = target ? "true" : "false";
    return added;
}

Flags::Flag& Flags::text(std::string_view names, std::string& target, std::string_view help,
                         std::string_view type) {
    Flag& added = add(names, type, help, [&target](const std::string& value) -> Result<void> {
        target = value;
        return {};
    });
    added.fallback = "'" + target + "'";
    return added;
}

Flags::Flag& Flags::optional_text(std::string_view names, std::string& target, std::string_view when_bare,
                                  std::string_view help) {
    Flag& added = text(names, target, help);
    added.is_bare_allowed = true;
    added.when_bare = when_bare;
    return added;
}

Flags::Flag& Flags::list(std::string_view names, std::vector<std::string>& target, std::string_view help) {
    Flag& added = add(names, "strings", help, into_list(target, [](auto& list, const std::string& value) {
                          std::size_t begin = 0;
                          while (begin <= value.size() && !value.empty()) {
                              const std::size_t end = std::min(value.find(',', begin), value.size());
                              list.push_back(value.substr(begin, end - begin));
                              begin = end + 1;
                          }
                      }));
    added.fallback = "[]";
    return added;
}

Flags::Flag& Flags::array(std::string_view names, std::vector<std::string>& target, std::string_view help) {
    Flag& added = add(names, "strings", help,
                      into_list(target, [](auto& list, const std::string& value) { list.push_back(value); }));
    added.fallback = "[]";
    return added;
}

Flags::Flag& Flags::pairs(std::string_view names, std::vector<std::pair<std::string, std::string>>& target,
                          std::string_view help) {
    Flag& added = add(names, "stringToString", help, [&target](const std::string& value) -> Result<void> {
        const bool is_one = std::count(value.begin(), value.end(), '=') == 1;
        std::size_t begin = 0;
        while (begin <= value.size()) {
            const std::size_t end = is_one ? value.size() : std::min(value.find(',', begin), value.size());
            const std::string pair = value.substr(begin, end - begin);
            const std::size_t equals = pair.find('=');
            if (equals == std::string::npos) return fail(pair + " must be formatted as key=value");
            const std::string key = pair.substr(0, equals);
            std::erase_if(target, [&key](const auto& one) { return one.first == key; });
            target.emplace_back(key, pair.substr(equals + 1));
            begin = end + 1;
        }
        return {};
    });
    added.fallback = "[]";
    return added;
}

Flags::Flag& Flags::number(std::string_view names, std::int64_t& target, std::string_view help) {
    Flag& added = add(names, "int", help, [&target](const std::string& value) -> Result<void> {
        const auto read = read_number(value);
        if (!read) return pass_on(read);
        target = *read;
        return {};
    });
    added.fallback = std::to_string(target);
    return added;
}

Flags::Flag& Flags::duration(std::string_view names, std::int64_t& target, std::string_view help) {
    Flag& added = add(names, "duration", help, [&target](const std::string& value) -> Result<void> {
        const auto read = read_duration(value, false);
        if (!read) return pass_on(read);
        target = *read;
        return {};
    });
    added.fallback = object::format_duration(target);
    return added;
}

const Flags::Flag* Flags::find(std::string_view name) const {
    const auto found =
        std::find_if(flags_.begin(), flags_.end(), [&](const Flag& flag) { return flag.name == name; });
    return found == flags_.end() ? nullptr : &*found;
}

const Flags::Flag* Flags::find_letter(char letter) const {
    const auto found = std::find_if(flags_.begin(), flags_.end(), [&](const Flag& flag) {
        return !flag.letter.empty() && flag.letter[0] == letter;
    });
    return found == flags_.end() ? nullptr : &*found;
}

bool Flags::was_given(std::string_view name) const {
    const Flag* flag = find(name);
    return flag != nullptr && flag->was_given;
}

struct Flags::Reader {
    Flags& flags;
    const std::vector<std::string>& arguments;
    std::size_t at = 0;
    Words words;

    Result<void> set(const Flag* flag, const std::string& value) {
        auto& changed = const_cast<Flag&>(*flag);
        const auto done = changed.set(value);
        changed.was_given = true;
        if (done) return {};
        const std::string shown =
            flag->letter.empty() ? "--" + flag->name : "-" + flag->letter + ", --" + flag->name;
        return fail("invalid argument \"" + value + "\" for \"" + shown + "\" flag: " + done.error().message);
    }

    // "name" or "name=value".
    Result<void> read_long(const std::string& text) {
        const std::size_t equals = text.find('=');
        const std::string name = text.substr(0, equals);
        if (name.empty() || name.front() == '-' || name.front() == '=')
            return fail("bad flag syntax: --" + text);
        const Flag* flag = flags.find(name);
        if (flag == nullptr) return fail("unknown flag: --" + name);
        if (equals != std::string::npos) return set(flag, text.substr(equals + 1));
        if (flag->is_bare_allowed) return set(flag, flag->when_bare);
        if (at == arguments.size()) return fail("flag needs an argument: --" + text);
        return set(flag, arguments[at++]);
    }

    // "abc": letters without values; the first that takes one takes the rest.
    Result<void> read_letters(const std::string& text) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            const Flag* flag = flags.find_letter(text[i]);
            if (flag == nullptr)
                return fail("unknown shorthand flag: '" + text.substr(i, 1) + "' in -" + text);
            const std::string rest = text.substr(i + 1);
            if (rest.size() > 1 && rest[0] == '=') return set(flag, rest.substr(1));
            if (flag->is_bare_allowed) {
                if (auto done = set(flag, flag->when_bare); !done) return done;
                continue;
            }
            if (!rest.empty()) return set(flag, rest);
            if (at == arguments.size())
                return fail("flag needs an argument: '" + text.substr(i, 1) + "' in -" + text);
            return set(flag, arguments[at++]);
        }
        return {};
    }

    Result<Words> read() {
        while (at < arguments.size()) {
            const std::string& argument = arguments[at++];
            if (argument.size() < 2 || argument[0] != '-') {
                words.words.push_back(argument);
                continue;
            }
            if (argument == "--") {
                words.before_dash = words.words.size();
                words.words.insert(words.words.end(), arguments.begin() + static_cast<long>(at),
                                   arguments.end());
                break;
            }
            const auto done =
                argument[1] == '-' ? read_long(argument.substr(2)) : read_letters(argument.substr(1));
            if (!done) return pass_on(done);
        }
        return std::move(words);
    }
};

Result<Words> Flags::read(const std::vector<std::string>& arguments) {
    return Reader{*this, arguments}.read();
}

std::string Flags::help(bool globals) const {
    std::vector<const Flag*> sorted;
    for (const Flag& flag : flags_)
        if (!flag.is_hidden && flag.is_global == globals) sorted.push_back(&flag);
    std::sort(sorted.begin(), sorted.end(), [](const Flag* a, const Flag* b) { return a->name < b->name; });
    std::string text;
    for (const Flag* flag : sorted) {
        text += flag->letter.empty() ? "    --" : "    -" + flag->letter + ", --";
        text += flag->name + "=" + flag->fallback + ":\n\t" + flag->help + "\n\n";
    }
    return text;
}

}  // namespace keelson::cli::kube
