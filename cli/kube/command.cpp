#include "cli/kube/command.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "cli/kube/command_groups.h"
#include "cli/kube/failures.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

constexpr std::size_t kNearEnough = 2;
constexpr std::size_t kColumnGap = 2;

std::size_t distance(const std::string& from, const std::string& to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::size_t diagonal = row[0]++;
        for (std::size_t j = 0; j < to.size(); ++j) {
            const std::size_t change = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

// Whether the flag before takes this word as its value, as far as the flags of all commands tell.
bool takes_next(const Flags& globals, const std::string& argument) {
    if (argument.find('=') != std::string::npos) return false;
    if (argument.starts_with("--")) {
        const Flags::Flag* flag = globals.find(argument.substr(2));
        return flag == nullptr || !flag->is_bare_allowed;
    }
    if (argument.size() != 2) return false;
    const Flags::Flag* flag = globals.find_letter(argument[1]);
    return flag == nullptr || !flag->is_bare_allowed;
}

// Where the words are that are no flags.
std::vector<std::size_t> word_positions(const std::vector<std::string>& arguments) {
    Flags flags;
    Globals globals;
    add_global_flags(flags, globals);
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
        if (arguments[i].size() > 1 && arguments[i][0] == '-') {
            if (takes_next(flags, arguments[i])) ++i;
        } else {
            positions.push_back(i);
        }
    }
    return positions;
}

// What is under each heading, in the order in which the headings come first. The summaries of all begin in
// one column.
struct Listed {
    std::string heading, name, summary;
};
std::string listing(const std::vector<Listed>& all) {
    std::size_t longest = 0;
    for (const Listed& one : all) longest = std::max(longest, one.name.size());
    std::vector<std::string> headings;
    std::map<std::string, std::string> lines;
    for (const Listed& one : all) {
        if (!lines.contains(one.heading)) headings.push_back(one.heading);
        std::string name = one.name;
        name.resize(longest + kColumnGap, ' ');
        lines[one.heading] += "  " + name + one.summary + "\n";
    }
    std::string text;
    for (const std::string& heading : headings) text += heading + ":\n" + lines[heading] + "\n";
    return text;
}

Failure wrong_line(const std::string& path, const std::string& what) {
    return whole("Error: " + what + "\nSee 'keelctl " + path + " --help' for usage.");
}

}  // namespace

tl::unexpected<Failure> Command::misused(const std::string& what) const {
    return tl::unexpected(whole("error: " + what + "\nSee 'keelctl " + path_ + " -h' for help and examples"));
}

std::vector<std::string> near_names(const std::string& text, const std::vector<std::string>& names) {
    std::vector<std::string> near;
    for (const std::string& name : names)
        if (distance(text, name) <= kNearEnough || (text.size() > 1 && name.starts_with(text)))
            near.push_back(name);
    return near;
}

Failure unknown_command(const std::string& text, const std::string& parent,
                        const std::vector<std::string>& names) {
    std::string message = "Error: unknown command \"" + text + "\" for \"" + parent + "\"";
    const auto near = near_names(text, names);
    if (!near.empty()) message += "\n\nDid you mean this?";
    for (const std::string& name : near) message += "\n\t" + name;
    if (near.empty()) message += "\nRun '" + parent + " --help' for usage.";
    return whole(message);
}

struct Registry::Found {
    const CommandEntry* entry = nullptr;  // the command, or the group
    std::string path;                     // as far as it was understood
    std::vector<std::string> arguments;   // without the words of the path
    std::vector<std::string> rest;        // words after the path
};

Registry::Found Registry::find(const std::vector<std::string>& arguments) const {
    Found found;
    found.arguments = arguments;
    const auto positions = word_positions(arguments);
    std::string path;
    std::size_t used = 0;
    for (std::size_t count = 1; count <= positions.size() && count <= 3; ++count) {
        path += (path.empty() ? "" : " ") + arguments[positions[count - 1]];
        const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                        [&](const CommandEntry& one) { return one.path == path; });
        if (entry == entries_.end()) break;
        found.entry = &*entry;
        found.path = path;
        used = count;
    }
    for (std::size_t i = used; i < positions.size(); ++i) found.rest.push_back(arguments[positions[i]]);
    for (std::size_t i = used; i-- > 0;)
        found.arguments.erase(found.arguments.begin() + static_cast<long>(positions[i]));
    return found;
}

void Registry::add_alias(std::string path, const std::string& of) {
    CommandEntry alias = *std::find_if(entries_.begin(), entries_.end(),
                                       [&of](const CommandEntry& entry) { return entry.path == of; });
    alias.path = std::move(path);
    alias.alias_of = of;
    entries_.push_back(std::move(alias));
}

bool Registry::knows(const std::vector<std::string>& arguments) const {
    return find(arguments).entry != nullptr;
}

Result<void> Registry::run(const std::vector<std::string>& arguments) const {
    const Found found = find(arguments);
    auto done = found.entry->make ? run_command(*found.entry, found.arguments) : run_group(found);
    // Messages may have several lines here.
    if (!done && !done.error().is_whole && !done.error().message.empty())
        return tl::unexpected(whole("error: " + done.error().message, done.error().code));
    return done;
}

Result<void> Registry::run_group(const Found& found) const {
    if (!found.rest.empty()) {
        std::vector<std::string> names;
        for (const CommandEntry& entry : entries_)
            if (entry.path.starts_with(found.path + " "))
                names.push_back(entry.path.substr(found.path.size() + 1));
        return tl::unexpected(unknown_command(found.rest.front(), "keelctl " + found.path, names));
    }
    print(help_of(found.path));
    return {};
}

Result<void> Registry::run_command(const CommandEntry& entry,
                                   const std::vector<std::string>& arguments) const {
    const auto command = entry.make();
    command->path_ = entry.alias_of.empty() ? entry.path : entry.alias_of;
    Flags flags;
    Globals globals;
    command->add_flags(flags);
    add_global_flags(flags, globals);
    command->flags_ = &flags;
    const auto words = flags.read(arguments);
    if (globals.wants_help) {
        print(help_of(entry.path));
        return {};
    }
    if (!words) return tl::unexpected(wrong_line(entry.path, words.error().message));
    Session session(globals);
    auto done = command->run(session, *words);
    if (done && globals.warnings_as_errors && session.warnings() > 0)
        return fail(std::to_string(session.warnings()) +
                    (session.warnings() == 1 ? " warning" : " warnings") + " received");
    return done;
}

std::string Registry::help_of(const std::string& path) const {
    const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const CommandEntry& one) { return one.path == path; });
    std::string text = entry->summary + "\n\n";
    if (!entry->details.empty()) text += "Examples:\n" + entry->details + "\n\n";
    std::vector<Listed> below;
    for (const CommandEntry& one : entries_)
        if (one.alias_of.empty() && one.path.starts_with(path + " ") &&
            one.path.find(' ', path.size() + 1) == std::string::npos)
            below.push_back({"Available Commands", one.path.substr(path.size() + 1), one.summary});
    text += listing(below);
    if (entry->make) {
        const auto command = entry->make();
        Flags flags;
        command->add_flags(flags);
        const std::string options = flags.help(false);
        if (!options.empty()) text += "Options:\n" + options;
    }
    text += "Usage:\n  keelctl " + path + (entry->usage.empty() ? "" : " " + entry->usage) + "\n\n";
    return text + "Options that all commands take: keelctl options\n";
}

std::string Registry::first_word(const std::vector<std::string>& arguments) {
    const auto positions = word_positions(arguments);
    return positions.empty() ? "" : arguments[positions.front()];
}

std::string Registry::overview(const std::vector<CommandEntry>& others) const {
    std::vector<Listed> all;
    for (const auto* entries : {&entries_, &others})
        for (const CommandEntry& entry : *entries)
            if (!entry.heading.empty()) all.push_back({entry.heading, entry.path, entry.summary});
    return listing(all);
}

}  // namespace keelson::cli::kube
