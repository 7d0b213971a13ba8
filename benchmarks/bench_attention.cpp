// Attention over one causal sequence, forward and backward, against the products of a layer over the same
// rows, in turn. SmolLM2-135M's 9 heads of 64 over 3 key-value heads. Operations are those of the pairs that
// the mask lets see each other: 4 d_q a pair forward, 10 d_q backward.
//   bench_attention [--tokens 1024] [--repetitions 10] [--threads N]
#include "measure.hpp"
#include "solopo/cost/model_shapes.hpp"
#include "solopo/kernels/attention.hpp"
#include "step_products.hpp"

int main(int argc, char** argv) {
  using namespace solopo;
  long tokens = 1024;
  bench::Options options("bench_attention");
  options.number("--tokens", tokens);
  options.parse(argc, argv);
  const cost::ModelShape& s = cost::find_model_shape("smollm2-135m");
  const auto rows = static_cast<std::int32_t>(tokens);
  const kernels::AttentionShape shape{static_cast<int>(s.heads), static_cast<int>(s.kv_heads),
                                      static_cast<int>(s.head_dim)};
  const kernels::AttentionTile tiles[] = {{0, rows, 0, rows, true}};
  const auto array = [&](cost::Count width) {
    return bench::numbers(static_cast<std::size_t>(tokens * width));
  };
  auto q = array(s.query_width()), k = array(s.kv_width()), v = k, out = q, dout = q, dq = q, dk = k, dv = k,
       lse = array(s.heads);
  const auto view = [&](kernels::AlignedVector<float>& x) {
    return dense(x.data(), tokens, static_cast<std::ptrdiff_t>(x.size()) / tokens);
  };
  const std::vector<bench::ProductShape> products = bench::layer_products(s, tokens);
  bench::ProductArrays arrays(products);
  bench::Timed timed[] = {
      {[&] {
        kernels::attention_forward<float>(shape, tiles, view(q), view(k), view(v), view(out), view(lse));
      }},
      {[&] {
        kernels::attention_backward<float>(shape, tiles, view(q), view(k), view(v), view(out), view(lse),
                                           view(dout), view(dq), view(dk), view(dv));
      }},
      {[&] {
        for (const bench::ProductShape& p : products) arrays.run(p);
      }}};
  bench::in_turn(timed, options);
  const double pair = static_cast<double>(s.query_width()) * static_cast<double>(cost::triangle(tokens));
  bench::print_line("attention", options,
                    {{"tokens", tokens},
                     {"heads", s.heads},
                     {"kv_heads", s.kv_heads},
                     {"head_dim", s.head_dim},
                     {"forward_flops", 4 * pair},
                     {"backward_flops", 10 * pair},
                     {"product_flops", bench::flops_of(products)},
                     {"forward_rounds", timed[0].rounds},
                     {"backward_rounds", timed[1].rounds},
                     {"product_rounds", timed[2].rounds}});
  return 0;
}
