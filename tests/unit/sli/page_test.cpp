// /metrics pages in their three formats.
#include "experiments/sli/metrics/page.hpp"
#include "experiments/sli/metrics/replica.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

constexpr const char* text_type = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* open_metrics_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr const char* protobuf_type = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

sli::Wanted counters(const std::string& bad, const std::string& total) {
  auto made = sli::wanted({.bad = bad, .total = total}, 0s);
  REQUIRE_MESSAGE(made, made.error().message);
  return *made;
}

sli::Wanted histogram(const std::string& name, Duration latency) {
  auto made = sli::wanted({.histogram = name}, latency);
  REQUIRE_MESSAGE(made, made.error().message);
  CHECK(made->part_is_good);  // what is within the bound
  return *made;
}

double sum(const std::map<std::string, sli::Tally>& tallies) {
  double all = 0;
  for (const auto& [series, tally] : tallies) all += tally.value;
  return all;
}

sli::Page read(const std::string& body, const std::string& type, const sli::Wanted& wanted) {
  auto page = sli::read_page(body, type, wanted);
  REQUIRE_MESSAGE(page, page.error().message);
  return *page;
}

std::string refused(const std::string& body, const std::string& type, const sli::Wanted& wanted) {
  const auto page = sli::read_page(body, type, wanted);
  REQUIRE_FALSE(page);
  return page.error().message;
}

// ---- protobuf by hand: what the wire carries, independent of the library that reads it

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7U) bytes += static_cast<char>(value % 128 + 128);
  return bytes + static_cast<char>(value);
}
std::string field(int number, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(number) * 8 + 2) + varint(bytes.size()) + bytes;
}
std::string whole(int number, std::uint64_t value) { return varint(static_cast<std::uint64_t>(number) * 8) + varint(value); }
std::string zigzag(int number, std::int64_t value) {
  return whole(number, (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63));
}
std::string real(int number, double value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return varint(static_cast<std::uint64_t>(number) * 8 + 1) + bytes;
}
std::string label(const std::string& name, const std::string& value) { return field(1, field(1, name) + field(2, value)); }
std::string family(const std::string& name, const std::string& metrics) {
  const std::string message = field(1, name) + field(2, "help") + whole(3, 4) + metrics;
  return varint(message.size()) + message;
}

// Schema 0: buckets (0.25, 0.5], (0.5, 1], (1, 2] with 10, 20, 5 events, and 3 in the zero bucket.
std::string native(int schema = 0, double zero_threshold = 0.001) {
  std::string deltas;
  for (const int delta : {10, 10, -15})
    deltas += varint((static_cast<std::uint64_t>(delta) << 1U) ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(delta) >> 63));
  return whole(1, 38) + real(2, 20.5) + zigzag(5, schema) + real(6, zero_threshold) + whole(7, 3) + field(12, zigzag(1, -1) + whole(2, 3)) +
         field(13, deltas) + field(15, whole(1, 1700000000));
}

}  // namespace

TEST_CASE("text: selectors choose the series, labels are unescaped, the rest of the page is passed over") {
  const std::string page =
      "# HELP http_requests_total requests\n# TYPE http_requests_total counter\n"
      "http_requests_total{code=\"200\",path=\"/a\"} 100 1700000000000\n"
      "http_requests_total{code=\"500\",path=\"/a, \\\"b\\\" }\\n\\\\\"} 3\n"
      "http_requests_total{code=\"503\" , path=\"/b\",} 4e0\n"
      "http_requests_total_more{code=\"500\"} 1000\nother 5\nnan_one NaN\n\n";
  const auto read_it = read(page, text_type, counters(R"(http_requests_total{code=~"5.."})", "http_requests_total"));
  CHECK(sum(read_it.part) == 7);
  CHECK(sum(read_it.total) == 107);
  CHECK(read_it.total.size() == 3);
  CHECK(sum(read(page, text_type, counters(R"(http_requests_total{path="/a, \"b\" }\n\\"})", "http_requests_total")).part) == 3);
  CHECK(read(page, text_type, counters("missing", "missing_too")).total.empty());
  CHECK(sum(read(page, "", counters("other", "other")).total) == 5);
}

TEST_CASE("text: what is no page, or no count, is an error and never a number") {
  const auto wanted = counters("bad", "all");
  CHECK(refused("all NaN\n", text_type, wanted).find("nan") != std::string::npos);
  CHECK(refused("all -1\n", text_type, wanted).find("-1") != std::string::npos);
  CHECK(refused("all +Inf\n", text_type, wanted).find("inf") != std::string::npos);
  CHECK(refused("all\n", text_type, wanted).find("not a number") != std::string::npos);
  CHECK(refused("all 5x\n", text_type, wanted).find("5x") != std::string::npos);
  for (const char* number : {"0x10", "1e999", "++1", "1_0"})
    CHECK(refused("all " + std::string(number) + "\n", text_type, wanted).find("not a number") != std::string::npos);
  CHECK(refused(std::string("all 1\0002\n", 8), text_type, wanted).find("not a number") != std::string::npos);
  CHECK(refused("all_created NaN\nall 1\n", text_type, wanted).find("'all_created' is nan") != std::string::npos);
  CHECK(refused("all{a=\"b} 5\n", text_type, wanted).find("labels") != std::string::npos);
  CHECK(refused("all{a} 5\n", text_type, wanted).find("labels") != std::string::npos);
  CHECK(refused("all{a=\"1\",b=\"2\"} 5\nall{b=\"2\",a=\"1\"} 6\n", text_type, wanted).find("twice") != std::string::npos);
  CHECK(refused("<html>", "text/html", wanted).find("text/html") != std::string::npos);
  CHECK(refused("all 5\n", open_metrics_type, wanted).find("# EOF") != std::string::npos);
}

TEST_CASE("OpenMetrics: exemplars are passed over and _created tells of a new beginning") {
  const std::string page =
      "# TYPE http_requests counter\n"
      "http_requests_total{code=\"500\"} 12 # {trace_id=\"a\"} 1 1700000000.5\n"
      "http_requests_created{code=\"500\"} 1.7e9\n# EOF\n";
  const auto read_it = read(page, open_metrics_type, counters("http_requests_total", "http_requests_total"));
  CHECK(sum(read_it.total) == 12);
  CHECK(read_it.total.begin()->second.created == 1.7e9);
}

TEST_CASE("a classic histogram: the bucket at the bound is exact, and a bound that is not there is refused with those that are") {
  const std::string page =
      "h_bucket{p=\"/buy\",le=\"0.1\"} 5\nh_bucket{p=\"/buy\",le=\"0.3\"} 8\nh_bucket{p=\"/buy\",le=\"+Inf\"} 10\n"
      "h_count{p=\"/buy\"} 10\nh_sum{p=\"/buy\"} 1.5\n"
      "h_bucket{p=\"/no\",le=\"0.3\"} 100\nh_bucket{p=\"/no\",le=\"+Inf\"} 100\nh_count{p=\"/no\"} 100\n";
  const auto buy = read(page, text_type, histogram(R"(h{p="/buy"})", 300ms));
  CHECK(sum(buy.part) == 8);
  CHECK(sum(buy.total) == 10);
  CHECK(sum(read(page, text_type, histogram("h", 300ms)).total) == 110);
  CHECK(refused(page, text_type, histogram(R"(h{p="/buy"})", 250ms)) ==
        "histogram 'h' has no bucket that ends at 250ms: set 'latency' to one of 100ms, 300ms");
  CHECK(refused(page, text_type, histogram("h", 100ms)).find("no bucket") != std::string::npos);  // one series lacks it
}

TEST_CASE("a histogram's strange bounds do not hide the others, nor make a long or wrong message") {
  const std::string strange =
      "h_bucket{le=\"no\"} 1\nh_bucket 1\nh_bucket{le=\"1e300\"} 1\nh_bucket{le=\"-1\"} 1\nh_bucket{le=\"0.1\"} 1\nh_count 1\n";
  CHECK(refused(strange, text_type, histogram("h", 300ms)) ==
        "histogram 'h' has no bucket that ends at 300ms: set 'latency' to one of 100ms");
  std::string many;
  for (int i = 1; i <= 5000; ++i) many += field(3, whole(1, 1) + real(2, i));
  const auto message = refused(family("h", field(4, field(7, whole(1, 1) + many))), protobuf_type, histogram("h", 300ms));
  CHECK(message.size() < 500);
  CHECK(message.find("one of 1s, 2s, 3s") != std::string::npos);
  CHECK(message.ends_with(", …"));
}

TEST_CASE("protobuf: counters, classic and native histograms, as the wire carries them") {
  const std::string counter = family("http_requests_total", field(4, label("code", "200") + field(3, real(1, 90))) +
                                                                field(4, label("code", "503") + field(3, real(1, 10)))) +
                              family("noise", field(4, field(3, real(1, 1e6))));
  const auto counted = read(counter, protobuf_type, counters(R"(http_requests_total{code=~"5.."})", "http_requests_total"));
  CHECK(sum(counted.part) == 10);
  CHECK(sum(counted.total) == 100);
  const std::string classic =
      family("h", field(4, field(7, whole(1, 10) + field(3, whole(1, 4) + real(2, 0.1)) + field(3, whole(1, 9) + real(2, 0.3)))));
  CHECK(sum(read(classic, protobuf_type, histogram("h", 300ms)).part) == 9);
  CHECK(refused(classic, protobuf_type, histogram("h", 1s)) ==
        "histogram 'h' has no bucket that ends at 1s: set 'latency' to one of 100ms, 300ms");
  const std::string sparse = family("h", field(4, label("p", "/buy") + field(7, native())));
  const auto at = [&](Duration latency) { return sum(read(sparse, protobuf_type, histogram(R"(h{p="/buy"})", latency)).part); };
  CHECK(at(1s) == doctest::Approx(33));  // a bucket's bound: 3 + 10 + 20
  CHECK(at(500ms) == doctest::Approx(13));
  CHECK(at(5s) == doctest::Approx(38));
  CHECK(at(10ms) == doctest::Approx(3));
  CHECK(at(750ms) == doctest::Approx(13 + 20 * std::log2(0.75 / 0.5)));  // within one: spread over its logarithm
  CHECK(read(sparse, protobuf_type, histogram("h", 1s)).total.begin()->second.created == 1700000000);
  CHECK(read(sparse, protobuf_type, histogram(R"(h{p="/no"})", 1s)).total.empty());
}

TEST_CASE("protobuf: cut off, in another encoding, or of an unknown schema is an error") {
  const auto wanted = histogram("h", 1s);
  const std::string page = family("h", field(4, field(7, native())));
  for (std::size_t length = 1; length < page.size(); ++length) CHECK_FALSE(sli::read_page(page.substr(0, length), protobuf_type, wanted));
  CHECK(refused(page, "application/vnd.google.protobuf; encoding=text", wanted).find("encoding") != std::string::npos);
  CHECK(refused(family("h", field(4, field(7, native(9)))), protobuf_type, wanted).find("schema 9") != std::string::npos);
  CHECK(refused(family("h", field(4, field(7, native(0, 2)))), protobuf_type, wanted).find("zero bucket") != std::string::npos);
  const std::string torn = whole(1, 5) + field(12, zigzag(1, 0) + whole(2, 3)) + field(13, varint(2));
  CHECK(refused(family("h", field(4, field(7, torn))), protobuf_type, wanted).find("fit together") != std::string::npos);
  const std::string huge = whole(1, 5) + field(12, zigzag(1, 0) + whole(2, 4000000000U)) + field(13, varint(2));
  CHECK(refused(family("h", field(4, field(7, huge))), protobuf_type, wanted).find("more than") != std::string::npos);
}

TEST_CASE("a replica's pages are differenced: late-born series, a restart, a counter created anew") {
  sli::Replica replica(false);
  const auto page = [](double bad, double total, double created = 0) {
    return sli::Page{.part = {{"b", {.value = bad, .created = created}}}, .total = {{"t", {.value = total, .created = created}}}};
  };
  CHECK(replica.take({.part = {}, .total = {{"t", {.value = 100}}}}).late_born);
  auto grown = replica.take(page(7, 150));  // the first error ever: the process was there, its counter began at 0
  CHECK_FALSE(grown.late_born);
  CHECK(grown.bad == 7);
  CHECK(grown.total == 50);
  grown = replica.take(page(1, 10));  // restarted
  CHECK(grown.bad == 1);
  CHECK(grown.total == 10);
  grown = replica.take(page(1, 10, 1000));
  CHECK(grown.total == 0);
  grown = replica.take(page(2, 30, 2000));  // restarted and already beyond where it was
  CHECK(grown.bad == 2);
  CHECK(grown.total == 30);
  auto coarser = page(2, 40, 2000);
  coarser.part["b"].resolution = 3;
  CHECK_FALSE(replica.take(coarser).comparable);
}

TEST_CASE("counters of good events: the rest is bad") {
  sli::Replica replica(true);
  const auto life = replica.take({.part = {{"g", {.value = 90}}}, .total = {{"t", {.value = 100}}}});
  CHECK(life.late_born);
  CHECK(life.bad == 10);
  const auto grown = replica.take({.part = {{"g", {.value = 130}}}, .total = {{"t", {.value = 150}}}});
  CHECK(grown.total == 50);
  CHECK(grown.bad == 10);
}
