// A host that plays a device, so that kernels run where there is none: the threads of a block are fibers that
// take turns at barriers, in an order that a seed shuffles, so that a missing barrier shows. Shared memory
// begins as NaN and what lies behind it is watched.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "solopo/core/bfloat16.hpp"
#include "solopo/core/random.hpp"
#include "solopo/cuda/block_team.hpp"
#include "solopo/cuda/library_attention.hpp"

namespace solopo::test {

class HostBlockRun;

// What DeviceBlock is on a device.
class HostBlock {
 public:
  HostBlock(HostBlockRun& run, int thread) : run_(run), thread_(thread) {}
  [[nodiscard]] int thread() const { return thread_; }
  [[nodiscard]] int threads() const;
  [[nodiscard]] int x() const;
  [[nodiscard]] int y() const;
  [[nodiscard]] int blocks() const;
  void sync();
  void sync_warp() { exchange(nullptr, 0); }
  [[nodiscard]] void* shared() const;
  [[nodiscard]] void* scratch() const;
  template <class T>
  T shuffle_xor(T value, int mask) {
    T out{};
    const auto lanes = exchange(&value, sizeof value);
    std::memcpy(&out, lanes((thread_ % cuda::warp_size) ^ mask), sizeof out);
    return out;
  }
  [[nodiscard]] float exp2(float x) const { return std::exp2(x); }
  void atomic_min(unsigned long long* at, unsigned long long value) const { *at = std::min(*at, value); }
  void copy_async(void* to, const void* from) const {
    if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0 || reinterpret_cast<std::uintptr_t>(from) % 16 != 0)
      throw std::logic_error("copy_async of an address that is not a multiple of 16");
    std::memcpy(to, from, 16);
  }
  void commit() const {}
  template <int pending>
  void wait() const {}

  template <bool transposed>
  void load_matrices(std::uint32_t (&out)[4], const BFloat16* row) {
    const auto lanes = exchange(&row, sizeof row);
    const int lane = thread_ % cuda::warp_size;
    for (int m = 0; m < 4; ++m) {
      const auto element = [&](int r, int c) {
        const BFloat16* from = nullptr;
        std::memcpy(&from, lanes(m * 8 + r), sizeof from);
        return static_cast<std::uint32_t>(from[c].bits);
      };
      const int i = lane / 4, j = lane % 4 * 2;
      out[m] = transposed ? element(j, i) | element(j + 1, i) << 16 : element(i, j) | element(i, j + 1) << 16;
    }
  }

  void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
    const std::uint32_t own[6] = {a[0], a[1], a[2], a[3], b0, b1};
    const auto lanes = exchange(own, sizeof own);
    const auto number = [&](int lane, int word, int half) {
      std::uint32_t words[6];
      std::memcpy(words, lanes(lane), sizeof words);
      BFloat16 out{};
      out.bits = static_cast<std::uint16_t>(words[word] >> (16 * half));
      return static_cast<float>(out);
    };
    const int lane = thread_ % cuda::warp_size, group = lane / 4;
    for (int e = 0; e < 4; ++e) {
      const int row = group + e / 2 * 8, column = lane % 4 * 2 + e % 2;
      for (int k = 0; k < 16; ++k) {
        const float left = number(row % 8 * 4 + k % 8 / 2, row / 8 + k / 8 * 2, k % 2);
        const float right = number(column * 4 + k % 8 / 2, 4 + k / 8, k % 2);
        c[e] += left * right;
      }
    }
  }
  [[nodiscard]] std::uint32_t pack(float low, float high) const {
    return BFloat16(low).bits | static_cast<std::uint32_t>(BFloat16(high).bits) << 16;
  }

 private:
  // What every lane of the warp brought, once all have.
  std::function<const void*(int)> exchange(const void* bytes, std::size_t size);

  HostBlockRun& run_;
  int thread_;
  int exchanges_ = 0;
};

// One block at work.
class HostBlockRun {
 public:
  static constexpr std::size_t stack_bytes = std::size_t{64} << 10, guard_bytes = 256, slot_bytes = 32;

  using Stacks = std::vector<std::unique_ptr<unsigned char[]>>;

  // `stacks` are kept from block to block.
  HostBlockRun(int x, int y, int blocks, int threads, std::size_t shared_bytes, RandomStream& order,
               Stacks& stacks)
      : x_(x),
        y_(y),
        blocks_(blocks),
        threads_(threads),
        order_(order),
        stacks_(stacks),
        shared_bytes_(shared_bytes),
        memory_(shared_bytes + guard_bytes + 128, 0xff),
        scratch_(32, std::nan("")),
        slots_(2 * static_cast<std::size_t>(threads) * slot_bytes),
        arrived_(2 * static_cast<std::size_t>(threads) / cuda::warp_size) {}

  template <class Kernel>
  void run(const Kernel& kernel) {
    while (stacks_.size() < static_cast<std::size_t>(threads_))
      stacks_.emplace_back(new unsigned char[stack_bytes]);
    body_ = [&](HostBlock& block) { kernel(block); };
    fibers_.resize(static_cast<std::size_t>(threads_));
    for (int t = 0; t < threads_; ++t) {
      Fiber& f = fibers_[static_cast<std::size_t>(t)];
      f.block = std::make_unique<HostBlock>(*this, t);
      getcontext(&f.context);
      f.context.uc_stack.ss_sp = stacks_[static_cast<std::size_t>(t)].get();
      f.context.uc_stack.ss_size = stack_bytes;
      const auto self = reinterpret_cast<std::uintptr_t>(this);
      makecontext(&f.context, reinterpret_cast<void (*)()>(&HostBlockRun::enter), 3,
                  static_cast<unsigned>(self), static_cast<unsigned>(self >> 32), t);
    }
    std::vector<std::size_t> turn(fibers_.size());
    for (std::size_t i = 0; i < turn.size(); ++i) turn[i] = i;
    while (ended_ < threads_) {
      for (std::size_t i = turn.size(); i > 1; --i) std::swap(turn[i - 1], turn[order_.below(i)]);
      bool moved = false;
      for (const std::size_t t : turn) {
        Fiber& f = fibers_[t];
        if (f.ended || !(f.ready == nullptr || f.ready(*this, f))) continue;
        moved = true;
        current_ = static_cast<int>(t);
        resume(f);
        if (failure_) std::rethrow_exception(failure_);
      }
      if (!moved) throw std::logic_error("threads wait for each other: a barrier that not all reach");
    }
    for (std::size_t i = 0; i < guard_bytes; ++i)
      if (shared()[shared_bytes_ + i] != 0xff)
        throw std::logic_error("a write behind the end of shared memory");
  }

 private:
  friend class HostBlock;
  struct Fiber {
    ucontext_t context{};
    std::unique_ptr<HostBlock> block;
    bool (*ready)(const HostBlockRun&, const Fiber&) = nullptr;
    long waits_for = 0;
    int warp = 0, parity = 0;
    bool started = false, ended = false;
    jmp_buf at;
  };

  static void enter(unsigned low, unsigned high, int thread) {
    auto& self = *reinterpret_cast<HostBlockRun*>(static_cast<std::uintptr_t>(low) |
                                                  static_cast<std::uintptr_t>(high) << 32);
    Fiber& f = self.fibers_[static_cast<std::size_t>(thread)];
    try {
      self.body_(*f.block);
    } catch (...) {
      self.failure_ = std::current_exception();
    }
    f.ended = true;
    ++self.ended_;
    _longjmp(self.back_, 1);
  }

  [[nodiscard]] unsigned char* shared() {
    auto at = reinterpret_cast<std::uintptr_t>(memory_.data());
    return reinterpret_cast<unsigned char*>((at + 127) / 128 * 128);
  }
  // A context is set up once; after that fibers are switched by jumps, which need no system call.
  void resume(Fiber& f) {
    if (_setjmp(back_) != 0) return;
    if (f.started) _longjmp(f.at, 1);
    f.started = true;
    setcontext(&f.context);
  }
  void yield() {
    if (_setjmp(fibers_[static_cast<std::size_t>(current_)].at) == 0) _longjmp(back_, 1);
  }

  // Threads that ended do not wait at a barrier; hardware counts them as arrived.
  void barrier() {
    Fiber& f = fibers_[static_cast<std::size_t>(current_)];
    f.waits_for = (barrier_arrivals_ / threads_ + 1) * threads_;
    ++barrier_arrivals_;
    f.ready = [](const HostBlockRun& run, const Fiber& fiber) {
      return run.barrier_arrivals_ + run.ended_ >= fiber.waits_for;
    };
    yield();
    f.ready = nullptr;
  }
  void warp_barrier(int warp, int parity, long generation) {
    long& arrived = arrived_[static_cast<std::size_t>(warp * 2 + parity)];
    ++arrived;
    Fiber& f = fibers_[static_cast<std::size_t>(current_)];
    f.waits_for = generation * cuda::warp_size;
    f.warp = warp;
    f.parity = parity;
    f.ready = [](const HostBlockRun& run, const Fiber& fiber) {
      return run.arrived_[static_cast<std::size_t>(fiber.warp * 2 + fiber.parity)] >= fiber.waits_for;
    };
    yield();
    f.ready = nullptr;
  }

  int x_, y_, blocks_, threads_;
  RandomStream& order_;
  Stacks& stacks_;
  std::size_t shared_bytes_;
  std::vector<unsigned char> memory_;
  std::vector<double> scratch_;
  std::vector<unsigned char> slots_;
  std::vector<long> arrived_;  // at a warp's exchanges, by parity
  std::function<void(HostBlock&)> body_;
  std::vector<Fiber> fibers_;
  jmp_buf back_;
  std::exception_ptr failure_;
  int current_ = 0, ended_ = 0;
  long barrier_arrivals_ = 0;
};

inline int HostBlock::threads() const { return run_.threads_; }
inline int HostBlock::x() const { return run_.x_; }
inline int HostBlock::y() const { return run_.y_; }
inline int HostBlock::blocks() const { return run_.blocks_; }
inline void HostBlock::sync() { run_.barrier(); }
inline void* HostBlock::shared() const { return run_.shared(); }
inline void* HostBlock::scratch() const { return run_.scratch_.data(); }
inline std::function<const void*(int)> HostBlock::exchange(const void* bytes, std::size_t size) {
  if (size > HostBlockRun::slot_bytes) throw std::logic_error("an exchange of too many bytes");
  const int warp = thread_ / cuda::warp_size, parity = exchanges_ % 2;
  unsigned char* const slots =
      run_.slots_.data() + static_cast<std::size_t>(parity * run_.threads_) * HostBlockRun::slot_bytes;
  if (size > 0)
    std::memcpy(slots + static_cast<std::size_t>(thread_) * HostBlockRun::slot_bytes, bytes, size);
  run_.warp_barrier(warp, parity, exchanges_ / 2 + 1);
  ++exchanges_;
  return [slots, warp](int lane) {
    return slots + static_cast<std::size_t>(warp * cuda::warp_size + lane) * HostBlockRun::slot_bytes;
  };
}

// What CudaQueue is on a device: kernels at once, products by plain loops.
class HostQueue {
 public:
  template <class T>
  class Array {
   public:
    Array() = default;
    explicit Array(std::size_t size) : memory_(size * sizeof(T) + 128, 0xff), size_(size) {}  // NaN
    [[nodiscard]] T* data() const noexcept {
      const auto at = reinterpret_cast<std::uintptr_t>(memory_.data());
      return size_ == 0 ? nullptr : reinterpret_cast<T*>((at + 127) / 128 * 128);
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

   private:
    mutable std::vector<unsigned char> memory_;
    std::size_t size_ = 0;
  };

  explicit HostQueue(std::uint64_t seed = 1) : order_(seed, "order of threads") {}

  template <class Kernel>
  void launch(int x, int y, int threads, std::size_t shared_bytes, const Kernel& kernel) {
    if (threads % cuda::warp_size != 0 || threads < 1 || threads > 256)
      throw std::logic_error("a block of " + std::to_string(threads) + " threads");
    for (int j = 0; j < y; ++j)
      for (int i = 0; i < x; ++i) HostBlockRun(i, j, x, threads, shared_bytes, order_, stacks_).run(kernel);
    ++launches;
  }
  template <class T, class Out>
  void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, const T* a,
            std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, const Out* add, Out* d, std::ptrdiff_t ldd,
            float factor = 1) {
    for (std::ptrdiff_t i = 0; i < m; ++i)
      for (std::ptrdiff_t j = 0; j < n; ++j) {
        float sum = 0;
        for (std::ptrdiff_t e = 0; e < k; ++e)
          sum += static_cast<float>(ta ? a[e * lda + i] : a[i * lda + e]) *
                 static_cast<float>(tb ? b[j * ldb + e] : b[e * ldb + j]);
        sum *= factor;
        d[i * ldd + j] = add ? sum + static_cast<float>(add[i * ldd + j]) : sum;
      }
  }
  // A library's attention, by loops, wherever its width is not that of our own kernels' tests.
  template <class T>
  [[nodiscard]] static constexpr bool has_attention(int) noexcept {
    return true;
  }
  template <class T>
  void attention_forward(const cuda::AttentionCall& c, const cuda::AttentionPointers<T>& p) {
    for (int h = 0; h < c.heads; ++h)
      for (int i = 0; i < c.q_rows; ++i) {
        const std::vector<float> z = scores(c, p, h, i);
        const float top = *std::max_element(z.begin(), z.end());
        float sum = 0;
        for (const float s : z) sum += std::exp(s - top);
        const float lse = top + std::log(sum);
        p.log_sum_exp[h * c.q_rows + i] = lse;
        for (int d = 0; d < c.head_dim; ++d) {
          float out = 0;
          for (std::size_t j = 0; j < z.size(); ++j)
            out +=
                std::exp(z[j] - lse) *
                static_cast<float>(p.v[static_cast<std::ptrdiff_t>(j) * c.kv_stride + key_column(c, h) + d]);
          p.out[i * c.out_stride + h * c.head_dim + d] = out;
        }
      }
    ++library_calls;
  }
  template <class T>
  void attention_backward(const cuda::AttentionCall& c, const cuda::AttentionPointers<T>& p) {
    const auto width = static_cast<std::size_t>(c.head_dim);
    const float factor = 1 / std::sqrt(static_cast<float>(c.head_dim));
    const std::ptrdiff_t dout_stride = std::ptrdiff_t(c.heads) * c.head_dim;
    std::vector<float> dk(static_cast<std::size_t>(c.kv_rows * c.kv_heads) * width, 0.0f), dv(dk);
    for (int h = 0; h < c.heads; ++h)
      for (int i = 0; i < c.q_rows; ++i) {
        const std::vector<float> z = scores(c, p, h, i);
        const T* const g = p.dout + i * dout_stride + h * c.head_dim;
        const T* const o = p.out + i * c.out_stride + h * c.head_dim;
        const T* const query = p.q + i * c.q_stride + h * c.head_dim;
        float delta = 0;
        for (std::size_t d = 0; d < width; ++d) delta += static_cast<float>(g[d]) * static_cast<float>(o[d]);
        std::vector<float> dq(width, 0.0f);
        for (std::size_t j = 0; j < z.size(); ++j) {
          const T* const key = p.k + static_cast<std::ptrdiff_t>(j) * c.kv_stride + key_column(c, h);
          const T* const value = p.v + static_cast<std::ptrdiff_t>(j) * c.kv_stride + key_column(c, h);
          float dot = 0;
          for (std::size_t d = 0; d < width; ++d)
            dot += static_cast<float>(g[d]) * static_cast<float>(value[d]);
          const float probability = std::exp(z[j] - p.log_sum_exp[h * c.q_rows + i]);
          const float ds = probability * (dot - delta) * factor;
          const std::size_t at =
              j * static_cast<std::size_t>(c.kv_heads) * width + static_cast<std::size_t>(key_column(c, h));
          for (std::size_t d = 0; d < width; ++d) {
            dq[d] += ds * static_cast<float>(key[d]);
            dk[at + d] += ds * static_cast<float>(query[d]);
            dv[at + d] += probability * static_cast<float>(g[d]);
          }
        }
        for (std::size_t d = 0; d < width; ++d)
          p.dq[i * c.dq_stride + h * c.head_dim + static_cast<int>(d)] = dq[d];
      }
    const std::ptrdiff_t columns = std::ptrdiff_t(c.kv_heads) * c.head_dim;
    for (std::ptrdiff_t j = 0; j < c.kv_rows; ++j)
      for (std::ptrdiff_t d = 0; d < columns; ++d) {
        p.dk[j * c.dkv_stride + d] = dk[static_cast<std::size_t>(j * columns + d)];
        p.dv[j * c.dkv_stride + d] = dv[static_cast<std::size_t>(j * columns + d)];
      }
  }

  template <class T>
  void upload(T* to, const T* from, std::size_t size) {
    std::copy_n(from, size, to);
  }
  template <class T>
  void download(T* to, const T* from, std::size_t size) {
    std::copy_n(from, size, to);
  }
  template <class T>
  void copy(T* to, const T* from, std::size_t size) {
    std::copy_n(from, size, to);
  }
  template <class T>
  void zero(T* to, std::size_t size) {
    std::memset(static_cast<void*>(to), 0, size * sizeof(T));
  }
  void wait() {}
  [[nodiscard]] std::uint64_t used_bytes() const { return 0; }

  long launches = 0, library_calls = 0;

 private:
  static int key_column(const cuda::AttentionCall& c, int head) {
    return head / (c.heads / c.kv_heads) * c.head_dim;
  }
  // Of the keys that query i of a head sees.
  template <class T>
  static std::vector<float> scores(const cuda::AttentionCall& c, const cuda::AttentionPointers<T>& p,
                                   int head, int i) {
    std::vector<float> z(static_cast<std::size_t>(c.causal ? i + 1 : c.kv_rows));
    const T* const query = p.q + i * c.q_stride + head * c.head_dim;
    for (std::size_t j = 0; j < z.size(); ++j) {
      const T* const key = p.k + static_cast<std::ptrdiff_t>(j) * c.kv_stride + key_column(c, head);
      for (int d = 0; d < c.head_dim; ++d) z[j] += static_cast<float>(query[d]) * static_cast<float>(key[d]);
      z[j] /= std::sqrt(static_cast<float>(c.head_dim));
    }
    return z;
  }

  RandomStream order_;
  HostBlockRun::Stacks stacks_;
};

}  // namespace solopo::test
