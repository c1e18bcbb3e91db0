// keelctl history, rollback: the past of one object.
#include <algorithm>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/differing.h"
#include "cli/kube/past.h"
#include "cli/kube/printing.h"
#include "cli/kube/table.h"
#include "cli/kube/writing.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

Result<Item> single_item(Session& session, const std::vector<std::string>& words) {
    const auto selection = select(session, {words});
    if (!selection) return pass_on(selection);
    if (!selection->is_single || selection->items.size() != 1)
        return fail("name one object: TYPE NAME or TYPE/NAME");
    return selection->items.front();
}

// Who wrote last, and when.
std::pair<std::string, std::string> last_writer(const Object& object) {
    std::pair<std::string, std::string> last;
    const Object& entries = member(object, {"metadata", "managedFields"});
    if (entries.is_array())
        for (const Object& entry : entries)
            if (text_at(entry, "time") >= last.second)
                last = {text_at(entry, "manager"), text_at(entry, "time")};
    return last;
}

class History : public Command {
  public:
    void add_flags(Flags& flags) override { add_document_flag(flags, document_); }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = document_.check(); !good) return good;
        const auto item = single_item(session, words.words);
        if (!item) return pass_on(item);
        const auto states = past_states(session, *item);
        if (!states) return pass_on(states);
        if (states->empty()) return fail("the store has no past of " + item->text());
        if (document_.is_wanted()) {
            Object list = Object::array();
            for (const PastState& state : *states)
                list.push_back({{"type", state.change}, {"object", state.object}});
            document_.print(list);
            return {};
        }
        Columns columns;
        columns.add({"REVISION", "CHANGE", "GENERATION", "BY", "AT"});
        for (const PastState& state : *states) {
            const auto [manager, time] = last_writer(state.object);
            const Object& generation = member(state.object, {"metadata", "generation"});
            columns.add({resource_version_of(state.object), lower_case(state.change),
                         generation.is_number() ? generation.dump() : "", manager, time});
        }
        print(columns.take());
        return {};
    }

  private:
    DocumentFlag document_;
};

// What the server sets by itself.
Object without_bookkeeping(Object object) {
    for (const char* name : {"resourceVersion", "managedFields", "generation", "creationTimestamp", "uid"})
        object["metadata"].erase(name);
    object.erase("status");
    return object;
}

class Rollback : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_document_flag(flags, document_);
        flags.text("to", revision_, "The revision of the store, of `keelctl history`");
        flags.flag("yes", is_agreed_, "Do it; without this it is only shown");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = document_.check(); !good) return good;
        if (revision_.empty()) return misused("--to must name a revision");
        auto item = single_item(session, words.words);
        if (!item) return pass_on(item);
        const auto api = session.api();
        if (!api) return pass_on(api);
        auto past = object_at(**api, *item, revision_);
        if (!past) return pass_on(past);
        const auto live = (*api)->ask({.path = item->path()});
        if (!live && !is_not_found(live.error())) return pass_on(live);
        auto difference = Difference::make();
        if (!difference) return pass_on(difference);
        auto added =
            difference->add(item->resource->kind + "." + item->name,
                            live ? without_bookkeeping(*live) : Object(), without_bookkeeping(*past));
        if (!added) return added;
        if (!is_agreed_) return show(*item, *difference);
        item->object = without_bookkeeping(std::move(*past));
        const Query query{{"fieldManager", "keelctl-rollback"}};
        auto done = live ? replace_item(**api, *item, query) : create_item(**api, *item, query);
        if (!done) return done;
        if (document_.is_wanted())
            print_document(*difference, true);
        else
            print(item->text() + " rolled back to revision " + revision_ + "\n");
        return {};
    }

  private:
    Result<void> show(const Item& item, Difference& difference) const {
        if (document_.is_wanted()) {
            print_document(difference, false);
            if (!difference.has_changes()) return {};
        } else if (auto shown = difference.show(); shown) {
            print(item.text() + " is as it was at revision " + revision_ + "\n");
            return {};
        } else if (shown.error().code != exit_failure) {
            return shown;
        }
        return fail("nothing was changed: to do this, say --yes");
    }

    void print_document(const Difference& difference, bool is_done) const {
        Object document = difference.documents().front();
        document["revision"] = revision_;
        document["done"] = is_done;
        document_.print(document);
    }

    DocumentFlag document_;
    std::string revision_;
    bool is_agreed_ = false;
};

}  // namespace

void add_history_commands(Registry& registry) {
    registry.add<History>("history", "Keelson Commands", "(TYPE NAME | TYPE/NAME) [options]",
                          "The past states of an object that the store still has",
                          "  keelctl history deploy/web");
    registry.add<Rollback>("rollback", "Keelson Commands", "(TYPE NAME | TYPE/NAME) --to REVISION [--yes]",
                           "Bring an object back to a past state; shows what would change first",
                           "  keelctl rollback deploy/web --to 4711");
}

}  // namespace keelson::cli::kube
