// The parts of keelctl that need no server: flags, kubeconfigs, tables, manifests, types, failures.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/kube/command.h"
#include "cli/kube/failures.h"
#include "cli/kube/image_reference.h"
#include "cli/kube/kubeconfig.h"
#include "cli/kube/manifests.h"
#include "cli/kube/rbac_rules.h"
#include "cli/kube/sorting.h"
#include "cli/kube/table.h"
#include "cli/kube/takeover.h"
#include "cli/kube/writing.h"
#include "cli/process.h"
#include "cli/streams/proxy_filter.h"

namespace keelson::cli::kube {
namespace {

using Texts = std::vector<std::string>;

struct FlagsTest : testing::Test {
    FlagsTest() {
        flags.text("o,output", output, "");
        flags.flag("w,watch", watches, "");
        flags.flag("A,all-namespaces", everywhere, "");
        flags.optional_text("dry-run", dry_run, "unchanged", "");
        flags.list("L,label-columns", labels, "");
        flags.array("as-group", groups, "");
        flags.number("chunk-size", number, "");
    }
    std::string error(const Texts& line) {
        const auto read = flags.read(line);
        return read ? "" : read.error().message;
    }
    Flags flags;
    std::string output, dry_run = "none";
    bool watches = false, everywhere = false;
    Texts labels, groups;
    std::int64_t number = 500;
};

TEST_F(FlagsTest, EveryFormOfAValue) {
    for (const Texts& line :
         {Texts{"-o", "json"}, Texts{"-ojson"}, Texts{"-o=json"}, Texts{"--output", "json"},
          Texts{"--output=json"}, Texts{"-wo", "json"}, Texts{"-Awojson"}}) {
        output.clear();
        ASSERT_TRUE(flags.read(line));
        EXPECT_EQ(output, "json") << line.front();
    }
    EXPECT_TRUE(watches && everywhere);
    ASSERT_TRUE(flags.read({"--output=", "--watch=false"}));
    EXPECT_EQ(output, "");
    EXPECT_FALSE(watches);
}

TEST_F(FlagsTest, WordsStandAnywhereAndOptionalValuesTakeNone) {
    const auto words = flags.read({"pods", "--dry-run", "a", "-w", "b", "--", "-o", "--x"});
    ASSERT_TRUE(words);
    EXPECT_EQ(words->words, (Texts{"pods", "a", "b", "-o", "--x"}));
    EXPECT_EQ(words->before_dash, 3u);
    EXPECT_EQ(dry_run, "unchanged");
    ASSERT_TRUE(flags.read({"--dry-run=server"}));
    EXPECT_EQ(dry_run, "server");
}

TEST_F(FlagsTest, ListsPartAtCommasAndArraysDoNot) {
    ASSERT_TRUE(flags.read({"-L", "a,b", "-Lc", "--as-group", "x,y", "--as-group", "z"}));
    EXPECT_EQ(labels, (Texts{"a", "b", "c"}));
    EXPECT_EQ(groups, (Texts{"x,y", "z"}));
}

TEST_F(FlagsTest, WhatIsWrongIsNamed) {
    EXPECT_EQ(error({"--nope"}), "unknown flag: --nope");
    EXPECT_EQ(error({"-Z"}), "unknown shorthand flag: 'Z' in -Z");
    EXPECT_EQ(error({"-wZ"}), "unknown shorthand flag: 'Z' in -wZ");
    EXPECT_EQ(error({"-o"}), "flag needs an argument: 'o' in -o");
    EXPECT_EQ(error({"--output"}), "flag needs an argument: --output");
    EXPECT_EQ(error({"--watch=maybe"}),
              "invalid argument \"maybe\" for \"-w, --watch\" flag: strconv.ParseBool: parsing \"maybe\": "
              "invalid syntax");
    EXPECT_EQ(error({"--chunk-size=1x"}),
              "invalid argument \"1x\" for \"--chunk-size\" flag: strconv.ParseInt: parsing \"1x\": invalid "
              "syntax");
    EXPECT_EQ(error({"---x"}), "bad flag syntax: ---x");
}

Object kubeconfig(const std::string& name, const std::string& server, const std::string& current) {
    return {
        {"clusters", {{{"name", name}, {"cluster", {{"server", server}}}}}},
        {"users", {{{"name", name}, {"user", {{"token", "token-of-" + server}}}}}},
        {"contexts",
         {{{"name", name}, {"context", {{"cluster", name}, {"user", name}, {"namespace", "of-" + name}}}}}},
        {"current-context", current}};
}

TEST(KubeconfigTest, TheFirstToSaySomethingWins) {
    const Object merged =
        merge_kubeconfigs({kubeconfig("a", "https://one", ""), kubeconfig("a", "https://two", "b"),
                           kubeconfig("b", "https://three:1/below/", "a")});
    EXPECT_EQ(text_at(merged, "current-context"), "b");
    EXPECT_EQ(text_at(named_entry(merged, "clusters", "a"), "server"), "https://one");
    auto connection = connection_of(merged, {});
    ASSERT_TRUE(connection) << connection.error().message;
    EXPECT_EQ(connection->server.text(), "https://three:1/below");
    EXPECT_EQ(connection->namespace_name, "of-b");
    EXPECT_EQ(connection->server.token, "token-of-https://three:1/below/");

    Globals globals;
    globals.context = "a";
    globals.token = "of the line";
    globals.as = "eve";
    globals.as_groups = {"g", "h"};
    connection = connection_of(merged, globals);
    ASSERT_TRUE(connection);
    EXPECT_EQ(connection->server.text(), "https://one:443");
    EXPECT_EQ(connection->server.token, "of the line");
    EXPECT_EQ(connection->server.headers.at("Impersonate-User"), "eve");
    EXPECT_EQ(connection->server.impersonated_groups, (Texts{"g", "h"}));
}

TEST(KubeconfigTest, WhatIsNotThereIsNamed) {
    const Object merged = merge_kubeconfigs({kubeconfig("a", "https://one", "a")});
    Globals globals;
    globals.context = "nope";
    EXPECT_EQ(connection_of(merged, globals).error().message,
              "Error in configuration: context was not found for specified context: nope");
    globals = {};
    globals.server = "ftp://x";
    EXPECT_NE(connection_of(merged, globals).error().message.find("https://HOST:6443"), std::string::npos);
}

TEST(KubeconfigTest, PathsAreFromTheFilesDirectory) {
    Object file = {
        {"clusters", {{{"name", "a"}, {"cluster", {{"certificate-authority", "pki/ca.crt"}}}}}},
        {"users", {{{"name", "a"}, {"user", {{"client-key", "/abs/key"}, {"tokenFile", "../t"}}}}}}};
    make_paths_absolute(file, "/home/me/.kube");
    EXPECT_EQ(text_at(named_entry(file, "clusters", "a"), "certificate-authority"),
              "/home/me/.kube/pki/ca.crt");
    EXPECT_EQ(text_at(named_entry(file, "users", "a"), "client-key"), "/abs/key");
    EXPECT_EQ(text_at(named_entry(file, "users", "a"), "tokenFile"), "/home/me/t");
}

TEST(TableTest, ColumnsAreAsWideAsTheirCells) {
    Columns columns;
    columns.add({"NAME", "AGE", "LAST"});
    columns.add({"a-long-name", "5s", "x"});
    EXPECT_EQ(columns.take(true), "NAME          AGE   LAST\na-long-name   5s    x\n");
    // Later rows keep the widths that the reader has seen.
    columns.add({"b", "6s", "y"});
    EXPECT_EQ(columns.take(true), "b             6s    y\n");
}

TEST(TableTest, ServersTables) {
    const Object table = {
        {"columnDefinitions",
         {{{"name", "Name"}, {"priority", 0}},
          {{"name", "Ready"}, {"priority", 0}},
          {{"name", "IP"}, {"priority", 1}}}},
        {"rows",
         {{{"cells", {"a", 3, "10.0.0.1"}},
           {"object", {{"metadata", {{"namespace", "n"}, {"labels", {{"x/app", "web"}}}}}}}},
          {{"cells", {"b\nc", nullptr, "\033[2J"}}, {"object", {{"metadata", {{"namespace", "n"}}}}}}}}};
    TableText plain({.label_columns = {"x/app"}});
    plain.add(table);
    EXPECT_EQ(plain.take(), "NAME   READY   APP\na      3       web\nb...           \n");
    TableText wide({.is_wide = true,
                    .has_headers = false,
                    .shows_namespace = true,
                    .shows_labels = true,
                    .kind = "pod"});
    wide.add(table);
    EXPECT_EQ(wide.take(),
              "n     pod/a      3     10.0.0.1   x/app=web\nn     pod/b...         ^[[2J      <none>\n");
}

TEST(ManifestsTest, DocumentsOfYamlAndJson) {
    const auto count = [](std::string_view text) {
        const auto objects = read_documents(text, "f");
        return objects ? static_cast<int>(objects->size()) : -1;
    };
    EXPECT_EQ(count("a: 1\n---\nb: 2\n"), 2);
    EXPECT_EQ(count("# only words\n---\n\n---\na: 1"), 1);
    EXPECT_EQ(count("a: |\n  --- no end\n  x\n"), 1);
    EXPECT_EQ(count("{\"a\": \"}\"}\n{\"b\": [{}]}"), 2);
    EXPECT_EQ(count("{a: b}"), 1);
    EXPECT_EQ(count("a: [b"), -1);
    EXPECT_EQ(count(""), 0);
}

TEST(FailuresTest, KubectlsWords) {
    const auto said = [](int code, const Object& status) {
        return refusal_of({.status = code, .body = compact(status)});
    };
    const Failure missing =
        said(404, {{"kind", "Status"}, {"reason", "NotFound"}, {"message", "pods \"x\" not found"}});
    EXPECT_EQ(missing.message, "Error from server (NotFound): pods \"x\" not found");
    EXPECT_TRUE(is_not_found(missing));
    EXPECT_EQ(with_context(missing, "error when deleting \"f\": ").message,
              "Error from server (NotFound): error when deleting \"f\": pods \"x\" not found");
    const Object causes = {{{"field", "spec.a"}, {"message", "Required value"}},
                           {{"field", "spec.b"}, {"message", "Invalid"}}};
    const Failure invalid = said(422, {{"kind", "Status"},
                                       {"reason", "Invalid"},
                                       {"message", "whole"},
                                       {"details", {{"kind", "Pod"}, {"name", "x"}, {"causes", causes}}}});
    EXPECT_EQ(invalid.message, "The Pod \"x\" is invalid: \n* spec.a: Required value\n* spec.b: Invalid");
    Failures several;
    several.add(missing);
    several.add(invalid);
    EXPECT_EQ(several.result().error().message,
              "Error from server (NotFound): pods \"x\" not found\nError from server (Invalid): whole");
    EXPECT_EQ(refusal_of({.status = 502, .reason = "Bad Gateway", .body = ""}).message,
              "Error from server (InternalError): the server answered 502 Bad Gateway");
}

TEST(WritingTest, MergePatchHasOnlyWhatDiffers) {
    const Object before = {{"a", 1}, {"b", {{"c", 1}, {"d", {1, 2}}}}, {"gone", "x"}};
    const Object after = {{"a", 1}, {"b", {{"c", 2}, {"d", {1, 2}}}}, {"new", true}};
    EXPECT_EQ(merge_patch_between(before, after),
              (Object{{"b", {{"c", 2}}}, {"gone", nullptr}, {"new", true}}));
    EXPECT_TRUE(merge_patch_between(before, before).is_null());
}

TEST(TakeoverTest, KubectlsFieldsBecomeTheManagers) {
    const Object client = {
        {"manager", "kubectl-client-side-apply"},
        {"operation", "Update"},
        {"apiVersion", "v1"},
        {"fieldsV1",
         {{"f:data", {{"f:a", Object::object()}}},
          {"f:metadata", {{"f:annotations", {{std::string("f:") + kLastApplied, Object::object()}}}}}}}};
    const Object own = {{"manager", "keelctl"},
                        {"operation", "Apply"},
                        {"apiVersion", "v1"},
                        {"fieldsV1", {{"f:data", {{"f:b", Object::object()}}}}}};
    const Object other = {
        {"manager", "x"}, {"operation", "Update"}, {"apiVersion", "v1"}, {"fieldsV1", Object::object()}};
    EXPECT_TRUE(managed_fields_taken_over(Object::array({own, other}), "keelctl").is_null());
    const Object taken = managed_fields_taken_over(Object::array({client, other, own}), "keelctl");
    ASSERT_EQ(taken.size(), 2u);
    EXPECT_EQ(taken[0], other);
    EXPECT_EQ(taken[1]["fieldsV1"]["f:data"], (Object{{"f:a", Object::object()}, {"f:b", Object::object()}}));
    const Object alone = managed_fields_taken_over(Object::array({client}), "keelctl");
    EXPECT_EQ(text_at(alone[0], "operation"), "Apply");
    EXPECT_TRUE(alone[0]["fieldsV1"]["f:metadata"]["f:annotations"].empty());
}

TEST(CommandsTest, CommandsAreFoundBehindFlags) {
    EXPECT_TRUE(registry().knows({"-n", "get", "apply", "-f", "x"}));
    EXPECT_TRUE(registry().knows({"--context=x", "config", "view"}));
    EXPECT_FALSE(registry().knows({"-n", "get"}));
    EXPECT_FALSE(registry().knows({"plugin", "list"}));
    EXPECT_NE(unknown_command("gett", "keelctl", {"get", "delete"}).message.find("\tget"), std::string::npos);
    for (const CommandEntry& entry : registry().entries())
        EXPECT_FALSE(registry().help_of(entry.path).empty());
}

TEST(CommandsTest, SummariesBeginInOneColumn) {
    Registry commands;
    commands.add({"make", "Making", "", "Make", "", {}});
    commands.add({"make of-long-name", "", "", "Long", "", {}});
    commands.add({"make it", "", "", "Short", "", {}});
    EXPECT_NE(commands.help_of("make").find("\n  of-long-name  Long\n  it            Short\n"),
              std::string::npos);
    EXPECT_EQ(commands.overview({{"serve-all", "Serving", "", "Serve", "", {}}}),
              "Making:\n  make       Make\n\nServing:\n  serve-all  Serve\n\n");
}

TEST(ProcessTest, WordsOfAnEditor) {
    EXPECT_EQ(split_words("code --wait"), (Texts{"code", "--wait"}));
    EXPECT_EQ(split_words(" 'my editor'  -x\\ y \"a 'b'\" '' "), (Texts{"my editor", "-x y", "a 'b'", ""}));
    const auto ended = run_program(
        {.words = {"sh", "-c", "echo $X; exit 3"}, .environment = {{"X", "hello"}}, .is_captured = true});
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->output, "hello\n");
    EXPECT_EQ(ended->code, 3);
    EXPECT_FALSE(run_program({.words = {"/nowhere/nothing"}}));
}

TEST(SortingTest, NumbersInTextsCountAsNumbers) {
    EXPECT_TRUE(is_before_by_nature("web-2", "web-10"));
    EXPECT_FALSE(is_before_by_nature("web-10", "web-2"));
    EXPECT_TRUE(is_before_by_nature("a", "b"));
    EXPECT_TRUE(is_before_by_nature("a", "a1"));
    EXPECT_FALSE(is_before_by_nature("a1", "a1"));
}

TEST(SortingTest, WhatIsWithoutTheFieldComesFirstAndAmountsCount) {
    std::vector<Object> objects = {{{"n", 1}, {"m", "1Gi"}}, {{"n", 2}, {"m", "200Mi"}}, {{"n", 3}}};
    ASSERT_TRUE(sort_objects(objects, ".m"));
    EXPECT_EQ(objects[0]["n"], 3);
    EXPECT_EQ(objects[1]["n"], 2);
    EXPECT_EQ(objects[2]["n"], 1);
    EXPECT_FALSE(sort_objects(objects, ".nowhere"));
}

TEST(ImageReference, NamesHaveHostsTagsAndDigests) {
    const std::string digest = "sha256:" + std::string(64, 'a');
    for (const std::string& good : Texts{"busybox", "a/b_c/d--e", "localhost:5000/x:1.2", "[::1]:80/x",
                                         "X.io/y", "x@" + digest, "x:tag@" + digest})
        EXPECT_TRUE(is_image_reference(good)) << good;
    for (const std::string& bad :
         Texts{"", "::", "a/B", "a:", "a@sha256:12", "/a", "a b", std::string(5000, 'a')})
        EXPECT_FALSE(is_image_reference(bad)) << bad;
}

TEST(FlagPairs, CommasBelongToTheOnlyValue) {
    Flags flags;
    std::vector<std::pair<std::string, std::string>> pairs;
    flags.pairs("env", pairs, "");
    ASSERT_TRUE(flags.read({"--env=A=1,2", "--env=B=3,C=4", "--env=B=5"}));
    const std::vector<std::pair<std::string, std::string>> expected{{"A", "1,2"}, {"C", "4"}, {"B", "5"}};
    EXPECT_EQ(pairs, expected);
    EXPECT_FALSE(flags.read({"--env=A"}));
}

TEST(AccessRules, WildcardsCoverWhatTheyStandFor) {
    const auto missing = [](const char* wanted, const char* owned) {
        std::string text;
        for (const AccessRule& rule : rules_beyond(Object::parse(wanted), Object::parse(owned)))
            text += rule.resources.empty() ? rule.urls.front()
                                           : rule.resources.front() + ":" + rule.verbs.front();
        return text;
    };
    const char* kPods = R"([{"apiGroups":[""],"resources":["pods","pods/log"],"verbs":["get"]}])";
    EXPECT_EQ(missing(kPods, "[]"), "pods:getpods/log:get");
    EXPECT_EQ(missing(kPods, R"([{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}])"), "");
    EXPECT_EQ(missing(kPods, R"([{"apiGroups":[""],"resources":["*/log"],"verbs":["get"]}])"), "pods:get");
    EXPECT_EQ(
        missing(kPods, R"([{"apiGroups":[""],"resources":["*"],"verbs":["get"],"resourceNames":["a"]}])"),
        "pods:getpods/log:get");
    EXPECT_EQ(missing(R"([{"nonResourceURLs":["/a/b","/c"],"verbs":["get"]}])",
                      R"([{"nonResourceURLs":["/a/*"],"verbs":["get"]}])"),
              "/c");
}

TEST(ProxyFilter, RequestsPassByPathHostAndMethod) {
    const auto filter = streams::ProxyFilter::make({.accept_hosts = R"(^localhost$,^\[::1\]$)",
                                                    .accept_paths = "^.*",
                                                    .reject_methods = "^PUT$",
                                                    .reject_paths = "^/api/.*/exec"});
    ASSERT_TRUE(filter);
    EXPECT_TRUE(filter->accepts("GET", "/api/v1/pods", "localhost:8001"));
    EXPECT_TRUE(filter->accepts("GET", "/api/v1/pods", "[::1]"));
    EXPECT_TRUE(filter->accepts("GET", "/api/v1/pods", "[::1]:8001"));
    EXPECT_FALSE(filter->accepts("GET", "/api/v1/pods", "localhost.example.com"));
    EXPECT_FALSE(filter->accepts("PUT", "/api/v1/pods", "localhost"));
    EXPECT_FALSE(filter->accepts("GET", "/api/v1/pods/a/exec", "localhost"));
    EXPECT_FALSE(filter->accepts("GET", "/" + std::string(100'000, 'a'), "localhost"));
    EXPECT_FALSE(streams::ProxyFilter::make(
        {.accept_hosts = "(", .accept_paths = {}, .reject_methods = {}, .reject_paths = {}}));
}

}  // namespace
}  // namespace keelson::cli::kube
