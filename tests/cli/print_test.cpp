// Templates give what kubectl 1.32 gives for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/print/tab_writer.h"
#include "cli/print/template_printer.h"

namespace keelson::cli::printing {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

const Json& pod() {
    static const Json object = Json::parse(R"({"apiVersion":"v1","kind":"Pod",
        "metadata":{"name":"web","namespace":"default","labels":{"app":"web","a.b/c":"x<y"}},
        "spec":{"containers":[
            {"name":"a","image":"nginx:1","ports":[{"containerPort":80},{"containerPort":443,"name":"tls"}]},
            {"name":"b","image":"busy:2","args":["x","y","z"]},{"name":"c","image":"third:3"}],
          "terminationGracePeriodSeconds":30,"hostNetwork":true},
        "status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"},{"type":"Other","status":"False"}],
          "big":12345678901,"half":0.5,"null":null}})");
    return object;
}

struct Case {
    const char* text;
    const char* printed;
};

void PrintTo(const Case& one, std::ostream* out) {
    *out << one.text;
}

std::string failure(const char* kind, const std::string& text, bool allows_missing = true) {
    const auto printed = print_with_template(kind, text, pod(), {.allows_missing = allows_missing});
    return printed ? "printed " + *printed : printed.error().message;
}

class Paths : public testing::TestWithParam<Case> {};
TEST_P(Paths, PrintWhatTheyFind) {
    const auto printed = print_with_template("jsonpath", GetParam().text, pod());
    ASSERT_TRUE(printed) << printed.error().message;
    EXPECT_EQ(*printed, GetParam().printed);
}
INSTANTIATE_TEST_SUITE_P(
    All, Paths,
    testing::Values(
        Case{"{.metadata.name}", "web"}, Case{"{.spec.containers[*].name}", "a b c"},
        Case{"{.spec.containers[0:2].name}", "a b"}, Case{"{.spec.containers[-1].name}", "c"},
        Case{"{.spec.containers[-1:].name}", "c"}, Case{"{.spec.containers[::2].name}", "a c"},
        Case{"{.spec.containers[0,2].name}", "a c"}, Case{"{.spec.containers[1].args[1:]}", "y z"},
        Case{R"({range .spec.containers[*]}{.name}{"\t"}{.image}{"\n"}{end})",
             "a\tnginx:1\nb\tbusy:2\nc\tthird:3\n"},
        Case{"{range .spec.containers[*]}[{.name}:{range .ports[*]}{.containerPort},{end}]{end}done",
             "[a:80,443,][b:][c:]done"},
        Case{"{range .items[*]}{.x}{end}after", "after"},
        Case{R"({.spec.containers[?(@.name=="b")].image})", "busy:2"},
        Case{R"({.spec.containers[?(@.name!="b")].image})", "nginx:1 third:3"},
        Case{R"({.spec.containers[?(@.name>="b")].name})", "b c"},
        Case{"{.spec.containers[?(@.ports)].name}", "a"},
        Case{"{.spec.containers[*].ports[?(@.containerPort>80)].name}", "tls"},
        Case{"{.spec.containers[*].ports[?(@.containerPort<=80)].containerPort}", "80"},
        Case{"{.spec.containers[?(@.ports[0].containerPort==80)].name}", "a"},
        Case{"{.status.conditions[?(@.type=='Ready')].status}", "True"}, Case{"{..containerPort}", "80 443"},
        Case{"{.metadata..name}", "web"}, Case{R"({.metadata.labels.a\.b/c})", "x<y"},
        Case{R"({.metadata.labels['a\.b/c']})", "x<y"},
        Case{"{.metadata['name','namespace']}", "web default"},
        Case{"{.metadata.labels}", R"({"a.b/c":"x\u003cy","app":"web"})"},
        Case{"{.status.big} {.status.half} {.spec.hostNetwork} {.status.null}", "12345678901 0.5 true null"},
        Case{"{$.metadata.name}{@.metadata.namespace}", "webdefault"},
        Case{R"({"a\tb'c"}{'x"y'})", "a\tb'cx\"y"}, Case{"plain text", "plain text"},
        Case{"{.a.b.c}|{.metadata.zz}", "|"}, Case{"{1}{2.5}{true}", "12.5true"}));

TEST(PathFailures, AreWordedAsClientsKnowThem) {
    EXPECT_EQ(failure("jsonpath", "{.metadata.name"),
              "error parsing jsonpath {.metadata.name, unclosed action");
    EXPECT_EQ(failure("jsonpath", "{~}"),
              "error parsing jsonpath {~}, unrecognized character in action: U+007E '~'");
    EXPECT_THAT(failure("jsonpath", R"({.a[?(@.b=~"c")]})"),
                EndsWith("unrecognized character in action: U+007E '~'"));
    EXPECT_EQ(failure("jsonpath", "{.a[b]}"), "error parsing jsonpath {.a[b]}, invalid array index b");
    EXPECT_EQ(failure("jsonpath", ""), "template format specified but no template given");
    EXPECT_THAT(failure("jsonpath", "{.spec.containers[5]}"),
                HasSubstr("array index out of bounds: index 5, length 3"));
    EXPECT_THAT(
        failure("jsonpath", "{.metadata.zz}", false),
        StartsWith(
            "error executing jsonpath \"{.metadata.zz}\": Error executing template: zz is not found. "));
    EXPECT_THAT(failure("jsonpath", "{.metadata[0]}"),
                HasSubstr("map[string]interface {} is not array or slice"));
    EXPECT_THAT(failure("jsonpath", "{end}"), HasSubstr("not in range, nothing to end"));
    EXPECT_THAT(failure("jsonpath", "{.spec.containers[?(@.name==1)]}"),
                HasSubstr("incompatible types for comparison"));
    const std::string deep(100000, '{');
    EXPECT_THAT(failure("jsonpath", deep), StartsWith("error parsing jsonpath"));
}

TEST(Paths, AsJsonGiveListsOfWhatTheyFind) {
    const auto printed = print_with_template("jsonpath-as-json", "{.metadata.labels}{.kind}", pod());
    ASSERT_TRUE(printed);
    EXPECT_EQ(*printed,
              "[\n    {\n        \"a.b/c\": \"x\\u003cy\",\n        \"app\": \"web\"\n    }\n]\n[\n    "
              "\"Pod\"\n]\n");
}

class Templates : public testing::TestWithParam<Case> {};
TEST_P(Templates, PrintAsGoDoes) {
    const auto printed = print_with_template("go-template", GetParam().text, pod());
    ASSERT_TRUE(printed) << printed.error().message;
    EXPECT_EQ(*printed, GetParam().printed);
}
INSTANTIATE_TEST_SUITE_P(
    All, Templates,
    testing::Values(
        Case{"{{.metadata.name}}", "web"}, Case{"{{range .spec.containers}}{{.name}},{{end}}", "a,b,c,"},
        Case{"{{range $i, $c := .spec.containers}}{{$i}}={{$c.name}} {{end}}", "0=a 1=b 2=c "},
        Case{"{{range $k, $v := .metadata.labels}}{{$k}}={{$v}};{{end}}", "a.b/c=x<y;app=web;"},
        Case{"{{range .spec.nothing}}x{{else}}none{{end}}", "none"},
        Case{R"({{if eq .status.phase "Pending"}}p{{else if eq .status.phase "Running"}}r{{else}}o{{end}})",
             "r"},
        Case{"{{with .metadata.labels}}{{.app}}{{end}}{{with .metadata.zz}}x{{else}}none{{end}}", "webnone"},
        Case{R"({{$x := .metadata.name}}{{$x}}{{$x = "new"}}{{$x}})", "webnew"},
        Case{R"({{define "t"}}<{{.}}>{{end}}{{template "t" .metadata.name}})", "<web>"},
        Case{R"({{block "b" .metadata}}{{.name}}{{end}})", "web"},
        Case{"{{/* comment */}}a{{- /* c */ -}} b", "ab"}, Case{"{{.kind -}}   x   {{- 1 }}", "Podx1"},
        Case{
            R"({{len .spec.containers}} {{(index .spec.containers 1).name}} {{index .metadata.labels "a.b/c"}})",
            "3 b x<y"},
        Case{"{{.zz}}|{{.zz.y.x}}|{{.status.null}}", "<no value>|<no value>|<no value>"},
        Case{R"({{printf "%s-%v-%5.2f|%-6s|%6s|%t" .metadata.name .status.big .status.half "ab" "cd" true}})",
             "web-12345678901- 0.50|ab    |    cd|true"},
        Case{R"({{printf "%d %q %03d %x %c" .spec.terminationGracePeriodSeconds "a" 7 255 65}})",
             "30 \"a\" 007 ff A"},
        Case{R"({{printf "%d" "x" 5}}{{printf "%v %v" 1}})", "%!d(string=x)%!(EXTRA int=5)1 %!v(MISSING)"},
        Case{R"({{print "a" 1 2 "b"}}{{println "x" 3}})", "a1 2bx 3\n"},
        Case{"{{eq .spec.terminationGracePeriodSeconds 30}} {{gt .status.half 0.1}} {{le 3 4}} {{eq 1 2 1}} "
             "{{not true}}",
             "true true true true false"},
        Case{R"({{and 1 0}} {{or 0 "x"}} {{and true .metadata.name}})", "0 x web"},
        Case{R"({{.metadata.name | printf "%q" | len}})", "5"},
        Case{R"({{html "<a href='x'>&"}} {{js "a'b\"<"}} {{urlquery "a b/c"}})",
             R"(&lt;a href=&#39;x&#39;&gt;&amp; a\'b\"\u003C a+b%2Fc)"},
        Case{"{{slice .metadata.name 1 2}}", "e"}, Case{R"({{"YQ==" | base64decode}})", "a"},
        Case{"{{range .spec.containers}}{{if eq .name \"b\"}}{{continue}}{{end}}{{.name}}{{end}}", "ac"},
        Case{"{{range .spec.containers}}{{if eq .name \"b\"}}{{break}}{{end}}{{.name}}{{end}}", "a"},
        Case{"{{range .spec.containers}}{{range .ports}}{{.containerPort}} {{$.kind}} {{end}}{{end}}",
             "80 Pod 443 Pod "},
        Case{R"({{exists .metadata "name"}} {{exists .metadata "zz"}})", "true false"},
        Case{R"({{'a'}} {{0x10}} {{1e3}} {{-5}} {{`raw`}} {{"\u00e9"}})", "97 16 1000 -5 raw é"},
        Case{"{{.metadata.labels}}", "map[a.b/c:x<y app:web]"}));

TEST(TemplateFailures, AreWordedAsClientsKnowThem) {
    EXPECT_EQ(failure("go-template", "{{if"),
              "error parsing template {{if, template: output:1: unclosed action");
    EXPECT_EQ(failure("go-template", "{{foo}}"),
              "error parsing template {{foo}}, template: output:1: function \"foo\" not defined");
    EXPECT_THAT(failure("go-template", "{{end}}"), EndsWith("output:1: unexpected {{end}}"));
    EXPECT_THAT(failure("go-template", "{{$y}}"), EndsWith("output:1: undefined variable \"$y\""));
    EXPECT_THAT(failure("go-template", "{{range .a}}x"), EndsWith("output:1: unexpected EOF"));
    EXPECT_THAT(failure("go-template", "{{break}}"), EndsWith("output:1: {{break}} outside {{range}}"));
    EXPECT_EQ(
        failure("go-template", "\n{{.status.null.x}}"),
        "error executing template \"\\n{{.status.null.x}}\": template: output:2:9: executing \"output\" at "
        "<.status.null.x>: nil pointer evaluating interface {}.x");
    EXPECT_THAT(failure("go-template", "{{.metadata.name.x}}"),
                EndsWith("at <.metadata.name.x>: can't evaluate field x in type interface {}"));
    EXPECT_THAT(failure("go-template", "{{index .spec.containers 7}}"),
                EndsWith("at <index .spec.containers 7>: error calling index: index out of range: 7"));
    EXPECT_THAT(failure("go-template", "{{.zz}}", false), EndsWith("map has no entry for key \"zz\""));
    // What would call itself for ever ends.
    EXPECT_THAT(failure("go-template", R"({{define "t"}}{{template "t"}}{{end}}{{template "t"}})"),
                HasSubstr("exceeded maximum template depth"));
}

TEST(TemplateFailures, TellWhatWasPrintedBeforeThem) {
    const auto printer = make_template_printer("go-template", "a{{len 3}}", {});
    ASSERT_TRUE(printer);
    std::string out;
    EXPECT_FALSE((*printer)->print(Json{{"a", 1}}, out));
    EXPECT_EQ(out,
              "aError executing template: template: output:1:3: executing \"output\" at <len 3>: error "
              "calling len: len "
              "of type int. Printing more information for debugging the template:\n\ttemplate "
              "was:\n\t\ta{{len 3}}\n\traw "
              "data was:\n\t\t{\"a\":1}\n\tobject given to template engine was:\n\t\tmap[a:1]\n\n");
}

TEST(CustomColumns, AreATableOfAllItems) {
    const Json list{{"kind", "List"},
                    {"items", Json::array({pod(), Json{{"metadata", {{"name", "longer-name"}}}}})}};
    const char* text =
        "NAME:.metadata.name,IMAGES:.spec.containers[*].image,PHASE:{.status.phase},N:status.null";
    const auto table = print_with_template("custom-columns", text, list);
    ASSERT_TRUE(table) << table.error().message;
    EXPECT_EQ(*table,
              "NAME          IMAGES                   PHASE     N\n"
              "web           nginx:1,busy:2,third:3   Running   <nil>\n"
              "longer-name   <none>                   <none>    <none>\n");
    const auto bare =
        print_with_template("custom-columns", "NAME:.metadata.name", list, {.with_headers = false});
    ASSERT_TRUE(bare);
    EXPECT_EQ(*bare, "web\nlonger-name\n");
}

TEST(CustomColumns, SayWhatIsWrongWithThem) {
    EXPECT_EQ(failure("custom-columns", ""), "custom-columns format specified but no custom columns given");
    EXPECT_EQ(failure("custom-columns", "NAME"),
              "unexpected custom-columns spec: NAME, expected <header>:<json-path-expr>");
    EXPECT_THAT(failure("custom-columns", "NAME:{a}{b}"), StartsWith("unexpected path string, expected a"));
}

TEST(TabWriter, ColumnsEndWhereALineHasNoSuchCell) {
    EXPECT_EQ(align_tabs("a\tb\tc\nlonger\tx\ty\nno cells\nq\tr\n", kDescriptionStops),
              "a       b  c\nlonger  x  y\nno cells\nq  r\n");
    EXPECT_EQ(align_tabs("é\tb\nab\tc", {0, 1}), "é  b\nab c");
}

}  // namespace
}  // namespace keelson::cli::printing
