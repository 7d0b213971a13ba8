// Generation on a device, run by a host that plays it, against the CPU's Decoder.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>
#include "catch.hpp"

#include "decoder_parity.hpp"
#include "host_device.hpp"
#include "tiny_llama.hpp"

namespace {

using namespace solopo;
using test::HostQueue;
using test::Ids;

template <class T>
std::vector<T> noise(std::size_t n, RandomStream& random) {
  std::vector<T> out(n);
  for (T& x : out) x = T(static_cast<float>(random.normal()));
  return out;
}

struct Heads {
  int heads, kv_heads, d;
};

// Random q, k, v and the two kernels over them.
template <class T>
struct SplitCase {
  Heads h;
  std::ptrdiff_t rows, keys;
  std::vector<T> q, kv, out;

  SplitCase(Heads heads, std::ptrdiff_t q_rows, std::ptrdiff_t kv_rows)
      : h(heads), rows(q_rows), keys(kv_rows) {
    RandomStream random(5, "split");
    q = noise<T>(static_cast<std::size_t>(rows * h.heads * h.d), random);
    kv = noise<T>(static_cast<std::size_t>(2 * keys * h.kv_heads * h.d), random);
    out.resize(q.size());
  }
  [[nodiscard]] kernels::KeyValues<T> read(HostQueue::Array<T>& place) const {
    std::copy(kv.begin(), kv.end(), place.data());
    const std::ptrdiff_t width = std::ptrdiff_t(h.kv_heads) * h.d;
    return {{place.data(), keys, width, 2 * width}, {place.data() + width, keys, width, 2 * width}};
  }
  void run(HostQueue& queue, std::span<const kernels::AttentionTile> tiles) {
    HostQueue::Array<T> queries(q.size()), cache(kv.size()), result(q.size());
    std::copy(q.begin(), q.end(), queries.data());
    const std::ptrdiff_t width = std::ptrdiff_t(h.heads) * h.d;
    cuda::SplitAttention<T, HostQueue> attention(queue, h.heads, h.kv_heads, h.d);
    attention.set(tiles, static_cast<std::int32_t>(rows));
    attention.forward(dense<const T>(queries.data(), rows, width), read(cache),
                      dense(result.data(), rows, width));
    std::copy_n(result.data(), out.size(), out.begin());
  }
  // In float64, one key after the other.
  [[nodiscard]] std::vector<float> expected(std::span<const kernels::AttentionTile> tiles) const {
    const std::size_t width = static_cast<std::size_t>(h.heads * h.d), d = static_cast<std::size_t>(h.d),
                      kv_width = static_cast<std::size_t>(h.kv_heads) * d;
    std::vector<float> all(out.size());
    for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row)
      for (std::size_t head = 0; head < static_cast<std::size_t>(h.heads); ++head) {
        const std::size_t column = head / static_cast<std::size_t>(h.heads / h.kv_heads) * d;
        double sum = 0;
        std::vector<double> o(d, 0.0);
        for (const kernels::AttentionTile& t : tiles) {
          if (static_cast<std::int32_t>(row) < t.q_begin || static_cast<std::int32_t>(row) >= t.q_end)
            continue;
          for (auto key = static_cast<std::size_t>(t.kv_begin); key < static_cast<std::size_t>(t.kv_end);
               ++key) {
            double score = 0;
            for (std::size_t i = 0; i < d; ++i)
              score += static_cast<double>(static_cast<float>(q[row * width + head * d + i])) *
                       static_cast<double>(static_cast<float>(kv[key * 2 * kv_width + column + i]));
            const double p = std::exp(score / std::sqrt(static_cast<double>(d)));
            sum += p;
            for (std::size_t i = 0; i < d; ++i)
              o[i] += p * static_cast<double>(static_cast<float>(kv[(key * 2 + 1) * kv_width + column + i]));
          }
        }
        for (std::size_t i = 0; i < d && sum > 0; ++i)
          all[row * width + head * d + i] = static_cast<float>(o[i] / sum);
      }
    return all;
  }
  [[nodiscard]] std::vector<float> as_floats() const { return {out.begin(), out.end()}; }
};

// Rows [0, rows - 1) share keys [1, 1 + shared); each row but the last has `own` keys more, too. The last row
// has none.
std::vector<kernels::AttentionTile> shared_and_own(std::int32_t rows, std::int32_t shared, std::int32_t own) {
  std::vector<kernels::AttentionTile> tiles = {{0, rows - 1, 1, 1 + shared, false}};
  for (std::int32_t i = 0; i + 1 < rows; ++i)
    tiles.push_back({i, i + 1, 1 + shared + i * own, 1 + shared + (i + 1) * own, false});
  return tiles;
}

TEST_CASE("attention split over its keys is attention", "[cuda][slow]") {
  HostQueue queue(GENERATE(1, 2));
  const Heads heads = GENERATE(Heads{4, 2, 6}, Heads{3, 3, 8}, Heads{7, 1, 80});
  const std::int32_t shared = GENERATE(1, 61, 64, 65, 191), rows = GENERATE(2, 12),
                     own = shared == 61 ? 67 : 3;
  CAPTURE(heads.d, shared, rows);
  const auto tiles = shared_and_own(rows, shared, own);
  const std::ptrdiff_t keys = 1 + shared + std::ptrdiff_t(rows) * own;
  SplitCase<float> exact(heads, rows, keys);
  exact.run(queue, tiles);
  CHECK(test::relative_difference(exact.as_floats(), exact.expected(tiles)) < 1e-6);
  SplitCase<BFloat16> rounded(heads, rows, keys);
  rounded.run(queue, tiles);
  CHECK(test::relative_difference(rounded.as_floats(), rounded.expected(tiles)) < 3e-3);  // of the output
}

TEST_CASE("a row's attention does not depend on the rows beside it", "[cuda]") {
  HostQueue queue;
  const std::int32_t rows = 11, shared = 131, own = 5;
  SplitCase<float> together({6, 2, 6}, rows + 1, 1 + shared + rows * own), alone = together;
  const auto tiles = shared_and_own(rows + 1, shared, own);
  together.run(queue, tiles);
  alone.run(queue, std::vector<kernels::AttentionTile>{{9, 10, 1, 1 + shared, false}, tiles[10]});
  const auto row = [&](const SplitCase<float>& c) { return std::span(c.out).subspan(9 * 36, 36); };
  CHECK(std::equal(row(together).begin(), row(together).end(), row(alone).begin()));
}

TEST_CASE("the greedy token is the smallest id of the largest logit", "[cuda]") {
  HostQueue queue;
  const int n = GENERATE(1, 50, 600, 1021), rows = 4;
  const auto size = static_cast<std::size_t>(n);
  RandomStream random(3, "greedy");
  std::vector<float> logits = noise<float>(size * rows, random);
  const auto last = static_cast<std::size_t>(n - 1), third = 2 * size;
  logits[size + last / 2] = logits[size + last] = 9;                               // a tie
  std::fill_n(logits.begin() + static_cast<std::ptrdiff_t>(third), size, -1e30f);  // all the same
  std::fill_n(logits.end() - n, size, std::numeric_limits<float>::quiet_NaN());
  HostQueue::Array<float> place(logits.size());
  std::copy(logits.begin(), logits.end(), place.data());
  std::vector<ChosenToken> chosen(rows);
  queue.launch(rows, 1, 256, 0, cuda::ChooseGreedy{place.data(), n, chosen.data()});
  for (std::size_t row = 0; row < 3; ++row) {
    const float* const z = logits.data() + row * size;
    const std::int32_t token = greedy_token(z, n);
    CHECK(chosen[row].token == token);
    CHECK(chosen[row].logp == Approx(token_logp(z, n, token)).margin(2e-6));
  }
  CHECK((chosen[3].token >= 0 && chosen[3].token < n));
}

TEST_CASE("the device's tokens are the CPU's, greedy and sampled", "[cuda]") {
  HostQueue queue;
  const bool tied = GENERATE(true, false), sampled = GENERATE(true, false);
  const LlamaConfig config = test::tiny_config(tied, !tied);
  const auto questions = test::questions(config.vocab_size, 4, 31, sampled, 9);
  const auto report = test::decoder_parity<float>(queue, test::random_weights<float>(config), questions);
  CAPTURE(tied, sampled, report.stopped, report.samples);
  CHECK(report.differ == 0);
  CHECK((report.stopped > 0 && report.stopped < report.samples));
  CHECK(report.logps <= 1e-5);
  CHECK(report.prompt_logits <= 1e-5);
  CHECK(report.response_logps <= 1e-5);
}

TEST_CASE("prompts read in pieces are the same prompts, whichever attention reads them", "[cuda]") {
  HostQueue queue;
  const auto attention = GENERATE(cuda::AttentionKernels::plain, cuda::AttentionKernels::library);
  const LlamaConfig config = test::tiny_config();
  const auto questions = test::questions(config.vocab_size, 3, 17, true, 4);
  const int read_chunk = GENERATE(1, 7, 10);
  const auto report =
      test::decoder_parity<float>(queue, test::random_weights<float>(config), questions,
                                  {.attention = attention, .read_chunk = read_chunk, .head_chunk = 3});
  CHECK(report.differ == 0);
  CHECK(report.logps <= 1e-5);
  CHECK(report.prompt_logits <= 1e-5);
  CHECK(report.response_logps <= 1e-5);
  CHECK((queue.library_calls > 0) == (attention == cuda::AttentionKernels::library));
}

TEST_CASE("in bfloat16 the device's log-probabilities are the CPU's to rounding", "[cuda][slow]") {
  HostQueue queue;
  LlamaConfig config = test::tiny_config(true, true);
  config.head_dim = 64;
  config.hidden_size = 32;
  auto questions = test::questions(config.vocab_size, 3, 67, false, 1);
  for (GenerateOptions& o : questions.options) o.max_new_tokens = 1;  // of one token no other can come
  const auto report = test::decoder_parity<BFloat16>(queue, test::random_weights<float>(config), questions,
                                                     {.read_chunk = 64});
  CHECK(report.prompt_logits <= 1e-2);
  CHECK(report.response_logps <= 1e-2);
}

TEST_CASE("what the cache holds stays when it grows", "[cuda]") {
  HostQueue queue;
  SECTION("memory") {
    cuda::GrowingArray<int, HostQueue> array;
    std::copy_n(std::vector{4, 5, 6}.begin(), 3, array.grow(queue, 3));
    CHECK(array.grow(queue, 4)[2] == 6);
    CHECK(array.size() == 6);
    CHECK(array.grow(queue, 13)[0] == 4);
    CHECK(array.size() == 13);
  }
  SECTION("a prompt") {
    const auto weights = test::random_weights<float>(test::tiny_config());
    const cuda::DeviceWeights<float, HostQueue> device(queue, weights);
    cuda::DeviceDecoder<float, HostQueue> decoder(queue, device);
    const auto questions = test::questions(50, 3, 40, true, 6);
    decoder.read_prompt(questions.prompts[0]);
    const double before = decoder.response_logp(questions.responses[2]);
    const auto tokens = decoder.generate(questions.options[0])[1].tokens;
    decoder.add_prompt(questions.prompts[1]);
    decoder.add_prompt(questions.prompts[2]);
    CHECK(decoder.response_logp(questions.responses[2]) == before);
    CHECK(decoder.generate_all(questions.options)[0][1].tokens == tokens);
    decoder.read_prompt(questions.prompts[0]);  // forgets the three
    CHECK(decoder.generate(questions.options[0])[1].tokens == tokens);
  }
}

TEST_CASE("on a device, too, generation can be ended and wrong input is refused", "[cuda]") {
  HostQueue queue;
  LlamaConfig config = test::tiny_config();
  config.max_position_embeddings = 8;
  const auto weights = test::random_weights<float>(config);
  const cuda::DeviceWeights<float, HostQueue> device(queue, weights);
  cuda::DeviceDecoder<float, HostQueue> decoder(queue, device);
  CHECK(decoder.prompt_logits().empty());
  CHECK_THROWS_AS(decoder.generate({}), ArgumentError);
  CHECK_THROWS_WITH(decoder.read_prompt(Ids{}), Catch::Contains("empty"));
  CHECK_THROWS_WITH(decoder.read_prompt(Ids(9, 1)), Catch::Contains("context"));
  CHECK_THROWS_WITH(decoder.read_prompt(Ids{60}), Catch::Contains("prompt[0]"));
  CHECK_THROWS_WITH(decoder.read_prompt(Ids{-1}), Catch::Contains("prompt[0]"));
  decoder.read_prompt(Ids(6, 1));
  CHECK_THROWS_AS(decoder.generate({.temperature = -1}), ArgumentError);
  CHECK_THROWS_AS(decoder.generate({.samples = 0}), ArgumentError);
  CHECK_THROWS_AS(decoder.response_logp(Ids(4, 1)), ArgumentError);
  CHECK_THROWS_AS(decoder.response_logp(Ids{1, 60}), ArgumentError);
  CHECK_THROWS_AS(decoder.response_logp(Ids{1}, 1), ArgumentError);
  using Decoder = cuda::DeviceDecoder<float, HostQueue>;
  CHECK_THROWS_AS(Decoder(queue, device, cuda::DeviceDecoderOptions{.read_chunk = 0}), ArgumentError);
  CHECK_THROWS_AS(Decoder(queue, device, cuda::DeviceDecoderOptions{.head_chunk = 0}), ArgumentError);
  const auto whole = decoder.generate({.max_new_tokens = 32})[0].tokens;
  CHECK(whole.size() == 3);  // two that are read, one that is only predicted
  Ids heard;
  const auto ended =
      decoder.generate({.max_new_tokens = 32, .on_token = [&](std::int32_t, std::int32_t token) {
                          heard.push_back(token);
                          return heard.size() < 2;
                        }});
  CHECK(heard == Ids(whole.begin(), whole.begin() + 2));
  CHECK(ended[0].tokens == heard);
}

}  // namespace
