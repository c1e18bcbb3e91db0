#include "cli/print/jsonpath.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace keelson::cli::printing {
namespace {

constexpr int kDeepestWalk = 1000;

enum class Order : std::uint8_t { less, equal, greater };

// Of two scalars of one kind.
Result<Order> compare(const Json& left, const Json& right, bool needs_order) {
    const auto kind = [](const Json& value) {
        return value.is_string()           ? 1
               : value.is_number_integer() ? 2
               : value.is_number_float()   ? 3
               : value.is_boolean()        ? 4
                                           : 0;
    };
    if (kind(left) == 0 || kind(right) == 0) return fail("invalid type for comparison");
    if (kind(left) != kind(right)) return fail("incompatible types for comparison");
    if (needs_order && left.is_boolean()) return fail("invalid type for comparison");
    return left == right ? Order::equal : left < right ? Order::less : Order::greater;
}

Result<bool> passes(const Json& left, const Json& right, const std::string& comparison) {
    const bool is_equality = comparison == "==" || comparison == "!=";
    if (!is_equality && comparison != "<" && comparison != "<=" && comparison != ">" && comparison != ">=")
        return fail("unrecognized filter operator " + comparison);
    const auto order = compare(left, right, !is_equality);
    if (!order) return tl::unexpected(order.error());
    if (comparison == "==") return *order == Order::equal;
    if (comparison == "!=") return *order != Order::equal;
    if (comparison.ends_with('=') && *order == Order::equal) return true;
    return *order == (comparison.front() == '<' ? Order::less : Order::greater);
}

class Finder {
  public:
    Finder(PathResults& results, bool allows_missing) : results_(results), allows_missing_(allows_missing) {}

    // Nodes from `begin` on, until the end of the range that they are in. Returns where it stopped.
    Result<std::size_t> find(const std::vector<PathNode>& nodes, std::size_t begin, const Json& object,
                             bool is_in_range, bool is_shown) {
        for (std::size_t at = begin; at < nodes.size(); ++at) {
            starts_range_ = ends_range_ = false;
            range_depth_ = is_in_range ? 1 : 0;
            auto found = walk({&object}, nodes[at], 0);
            if (!found) return tl::unexpected(found.error());
            if (std::exchange(ends_range_, false)) return at;
            if (!std::exchange(starts_range_, false)) {
                if (is_shown) results_.parts.push_back(std::move(*found));
                continue;
            }
            std::size_t end = nodes.size();
            static const Json kNothing;
            // An empty range is walked once as well: to know where it ends.
            const bool is_empty = found->empty();
            if (is_empty) found->push_back(&kNothing);
            for (const Json* item : *found) {
                auto stopped = find(nodes, at + 1, *item, true, is_shown && !is_empty);
                if (!stopped) return stopped;
                end = *stopped;
            }
            at = end;
        }
        return nodes.size();
    }

  private:
    Result<Found> walk(Found input, const PathNode& node, int depth) {
        if (depth > kDeepestWalk) return fail("the object is nested too deeply");
        switch (node.kind) {
            case PathKind::list:
                return walk_list(std::move(input), node, depth);
            case PathKind::text:
                return Found{make(Json(node.text))};
            case PathKind::integer:
                return Found(input.size(), make(Json(node.integer)));
            case PathKind::real:
                return Found(input.size(), make(Json(node.real)));
            case PathKind::boolean:
                return Found(input.size(), make(Json(node.boolean)));
            case PathKind::field:
                return fields(input, node.text);
            case PathKind::slice:
                return slices(input, node.slice);
            case PathKind::filter:
                return filtered(input, node, depth);
            case PathKind::wildcard:
                return members(input);
            case PathKind::recursive:
                return descendants(input, depth);
            case PathKind::unions:
                return unions(input, node, depth);
            case PathKind::identifier:
                return identifier(std::move(input), node.text);
        }
        return fail("unexpected Node");
    }

    Result<Found> walk_list(Found input, const PathNode& node, int depth) {
        for (const PathNode& child : node.children) {
            auto found = walk(std::move(input), child, depth + 1);
            if (!found) return found;
            input = std::move(*found);
        }
        return input;
    }

    Result<Found> identifier(Found input, const std::string& name) {
        if (name == "range") {
            starts_range_ = true;
            return input;
        }
        if (name != "end") return fail("unrecognized identifier " + name);
        if (range_depth_ == 0) return fail("not in range, nothing to end");
        ends_range_ = true;
        return Found();
    }

    Result<Found> fields(const Found& input, const std::string& name) {
        Found found;
        for (const Json* value : input) {
            if (!value->is_object()) continue;
            if (const auto member = value->find(name); member != value->end()) found.push_back(&*member);
        }
        if (found.empty() && !input.empty() && !allows_missing_) return fail(name + " is not found");
        return found;
    }

    Result<Found> slices(const Found& input, const PathSlice& slice) {
        Found found;
        for (const Json* value : input) {
            if (value->is_null()) continue;
            if (!value->is_array()) return fail(go_type(*value) + " is not array or slice");
            const auto size = static_cast<std::int64_t>(value->size());
            std::int64_t begin = slice.begin.value_or(0);
            if (begin < 0) begin += size;
            std::int64_t end = slice.end.value_or(size);
            if (end < 0 || (end == 0 && slice.derived)) end += size;
            if (begin == end) return found;
            const auto out_of_bounds = [size](std::int64_t index) {
                return fail("array index out of bounds: index " + std::to_string(index) + ", length " +
                            std::to_string(size));
            };
            if (begin >= size || begin < 0) return out_of_bounds(begin);
            if (end > size || end < 0) return out_of_bounds(end - 1);
            if (begin > end)
                return fail("starting index " + std::to_string(begin) + " is greater than ending index " +
                            std::to_string(end));
            const std::int64_t step = slice.step.value_or(1);
            if (step <= 0) return fail("step must be > 0");
            for (std::int64_t at = begin; at < end; at += step)
                found.push_back(&(*value)[static_cast<std::size_t>(at)]);
        }
        return found;
    }

    Result<Found> filtered(const Found& input, const PathNode& node, int depth) {
        Found found;
        for (const Json* value : input) {
            if (!value->is_array())
                return fail(go_text(*value) + " is not array or slice and cannot be filtered");
            for (const Json& item : *value) {
                const auto passed = passes_filter(item, node, depth);
                if (!passed) return tl::unexpected(passed.error());
                if (*passed) found.push_back(&item);
            }
        }
        return found;
    }

    Result<bool> passes_filter(const Json& item, const PathNode& node, int depth) {
        const auto left = walk({&item}, node.children[0], depth + 1);
        if (node.text == "exists") return left && !left->empty();
        if (!left) return tl::unexpected(left.error());
        if (left->empty()) return false;
        const auto right = walk({&item}, node.children[1], depth + 1);
        if (!right) return tl::unexpected(right.error());
        if (right->empty()) return false;
        if (left->size() > 1 || right->size() > 1) return fail("can only compare one element at a time");
        return passes(*left->front(), *right->front(), node.text);
    }

    static Found members(const Found& input) {
        Found found;
        for (const Json* value : input)
            if (value->is_structured())
                for (const Json& member : *value) found.push_back(&member);
        return found;
    }

    static Result<Found> descendants(const Found& input, int depth) {
        if (depth > kDeepestWalk) return fail("the object is nested too deeply");
        Found found;
        for (const Json* value : input) {
            const Found inside = members({value});
            if (inside.empty()) continue;
            found.push_back(value);
            auto deeper = descendants(inside, depth + 1);
            if (!deeper) return deeper;
            found.insert(found.end(), deeper->begin(), deeper->end());
        }
        return found;
    }

    Result<Found> unions(const Found& input, const PathNode& node, int depth) {
        Found all;
        for (const PathNode& child : node.children) {
            auto found = walk(input, child, depth + 1);
            if (!found) return found;
            all.insert(all.end(), found->begin(), found->end());
        }
        return all;
    }

    const Json* make(Json value) {
        return results_.made.emplace_back(std::make_shared<Json>(std::move(value))).get();
    }

    PathResults& results_;
    bool allows_missing_;
    bool starts_range_ = false;
    bool ends_range_ = false;
    int range_depth_ = 0;
};

}  // namespace

Result<JsonPath> JsonPath::parse(std::string_view text) {
    auto root = parse_jsonpath(text);
    if (!root) return tl::unexpected(root.error());
    return JsonPath(std::move(*root));
}

Result<PathResults> JsonPath::find(const Json& object, bool allows_missing) const {
    PathResults results;
    const auto done = Finder(results, allows_missing).find(root_.children, 0, object, false, true);
    if (!done) return tl::unexpected(done.error());
    return results;
}

Result<std::string> relaxed_path(std::string_view text) {
    if (text.empty()) return std::string();
    if (text.size() >= 2 && text.front() == '{' && text.back() == '}') text = text.substr(1, text.size() - 2);
    if (text.starts_with('.')) text.remove_prefix(1);
    if (text.empty() || text.find_first_of("{}") != std::string_view::npos)
        return fail(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or "
            "'{.name1.name2}'");
    return "{." + std::string(text) + "}";
}

}  // namespace keelson::cli::printing
