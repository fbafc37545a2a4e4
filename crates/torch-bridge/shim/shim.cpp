// What tch 0.24 cannot reach of libtorch: a graph node with a gradient of our own, gradients that are dropped, the fused updates of
// Adam and SGD, loops on libtorch's threads, tensors that own foreign memory, memory formats, autocast, and the version counter. Plain
// C interface; every entry catches, and reports by a message that `vb_take_error` hands over.

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

thread_local std::string last_error;

template <typename F>
auto guarded(F f, decltype(f()) on_error) -> decltype(f()) {
  try {
    return f();
  } catch (const c10::Error& e) {
    last_error = e.what_without_backtrace();
  } catch (const std::exception& e) {
    last_error = e.what();
  } catch (...) {
    last_error = "unknown C++ exception";
  }
  if (last_error.empty()) last_error = "C++ exception without a message";
  return on_error;
}

std::vector<at::Tensor> collect(at::Tensor* const* tensors, size_t n) {
  std::vector<at::Tensor> out;
  out.reserve(n);
  for (size_t i = 0; i < n; ++i) out.push_back(*tensors[i]);
  return out;
}

// How many threads a loop of this one is run by: 1 within such a loop.
int threads_here() { return at::in_parallel_region() ? 1 : at::get_num_threads(); }

// Calls `task(i)` for each i below `n` on as many of libtorch's threads, this one among them, and waits for them.
template <typename F>
void on_threads(int64_t n, F task) {
  // `at::parallel_for` is a template that would take a compiler with OpenMP, and its runtime beside libtorch's. A loop over the
  // elements of a tensor is libtorch's own: one for each thread.
  auto places = at::empty({n}, at::TensorOptions().dtype(at::kByte).device(at::kCPU));
  auto loop = at::TensorIterator::borrowing_nullary_op(places);
  const auto first = static_cast<char*>(places.data_ptr());
  loop.for_each(
      [&](char** data, const int64_t* strides, int64_t inner, int64_t outer) {
        for (int64_t i = 0; i < inner * outer; ++i) task(data[0] - first + i * strides[0]);
      },
      /*grain_size=*/1);
}

// Elements of a share that is worth a thread.
constexpr int64_t SMALLEST_SHARE = 4096;
// Elements after which a tensor may be cut: a multiple of every vector's lanes.
constexpr int64_t VECTORS = 64;

// What one thread updates: pieces of tensors, list by list, and which tensors they are of.
struct Share {
  std::array<std::vector<at::Tensor>, 4> lists;
  std::vector<size_t> of;
};

// Calls `update` with shares of the lists, whose tensors of one place have one size and order in memory, on libtorch's threads. Its
// fused kernels divide each tensor among the threads and wait for all of them after each.
template <typename F>
void in_shares(std::array<std::vector<at::Tensor>, 4> lists, F update) {
  const auto& first = lists[0];
  int64_t total = 0;
  for (const auto& t : first) total += t.numel();
  const int64_t threads = first[0].is_cpu() ? std::min<int64_t>(threads_here(), total / SMALLEST_SHARE) : 1;
  std::vector<Share> shares(std::max<int64_t>(threads, 1));
  const int64_t each = total / static_cast<int64_t>(shares.size()) + 1;
  int64_t before = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    const int64_t n = first[i].numel();
    for (int64_t begin = 0; begin < n;) {
      const int64_t at = (before + begin) / each;
      // A cut after whole vectors: the kernels round the elements behind the last one otherwise, and no result may depend on the
      // number of threads.
      const int64_t end = std::min(n, ((at + 1) * each - before + VECTORS - 1) / VECTORS * VECTORS);
      for (size_t k = 0; k < lists.size(); ++k) {
        if (lists[k].empty()) continue;
        const auto& t = lists[k][i];
        const bool whole = end - begin == n;
        shares[at].lists[k].push_back(whole ? t : t.detach().as_strided({end - begin}, {1}, t.storage_offset() + begin));
      }
      shares[at].of.push_back(i);
      begin = end;
    }
    before += n;
  }
  std::exception_ptr failure;
  std::mutex failing;
  on_threads(shares.size(), [&](int64_t i) {
    try {
      at::NoGradGuard no_grad;
      if (!shares[i].of.empty()) update(shares[i]);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failing);
      failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

// Rust's half of a backward pass. `grads` holds one slot per input, to be filled with owned tensors or left null;
// the return value is 0, or 1 with a message in `message` (at most `capacity` bytes).
using Backward = int (*)(void* state, at::Tensor* upstream, at::Tensor** grads, size_t n, char* message,
                         size_t capacity);
using Drop = void (*)(void* state);

void refuse_second_derivative(const char* name) {
  TORCH_CHECK(!at::GradMode::is_enabled(), name,
              ": this gradient is closed-form and has no derivative of its own; the `_composed` form, where there is one, has second "
              "derivatives");
}

struct NativeNode : public torch::autograd::Node {
  std::string label;
  Backward backward = nullptr;
  Drop drop = nullptr;
  void* state = nullptr;
  size_t inputs = 0;
  std::atomic<std::thread::id> running{std::thread::id()};

  ~NativeNode() override { release_variables(); }

  std::string name() const override { return label; }

  // Threads may hold aliases of one loss: one backward pass, or one release, at a time.
  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (state != nullptr) drop(state);
    state = nullptr;
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& upstream) override {
    refuse_second_derivative(label.c_str());
    TORCH_CHECK(running.load() != std::this_thread::get_id(), label, ": backward inside its own backward pass");
    std::lock_guard<std::mutex> lock(mutex_);
    struct Mark {
      std::atomic<std::thread::id>& running;
      explicit Mark(std::atomic<std::thread::id>& of) : running(of) { running = std::this_thread::get_id(); }
      ~Mark() { running = std::thread::id(); }
    } mark(running);
    TORCH_CHECK(state != nullptr, label, ": backward a second time; the first one freed the saved gradient");
    std::vector<at::Tensor*> slots(inputs, nullptr);
    torch::autograd::variable_list grads(inputs);
    if (!upstream[0].defined()) return grads;
    char message[512] = {0};
    const int failed = backward(state, &upstream[0], slots.data(), inputs, message, sizeof(message));
    for (size_t i = 0; i < inputs; ++i) {
      if (slots[i] == nullptr) continue;
      if (task_should_compute_output(i)) grads[i] = *slots[i];
      delete slots[i];
    }
    TORCH_CHECK(!failed, label, ": ", message);
    return grads;
  }
};

}  // namespace

extern "C" {

// Copies the last message of this thread and clears it; returns its length.
size_t vb_take_error(char* buffer, size_t capacity) {
  const size_t n = last_error.size() < capacity ? last_error.size() : capacity;
  std::memcpy(buffer, last_error.data(), n);
  last_error.clear();
  return n;
}

// Makes `value` (fresh, no history) the result of a node over `inputs`. Takes `state` over, also on failure.
int vb_attach(at::Tensor* value, at::Tensor* const* inputs, size_t n, const char* name, Backward backward, Drop drop,
              void* state) {
  auto node = std::shared_ptr<NativeNode>(new NativeNode(), torch::autograd::deleteNode);
  node->state = state;
  node->drop = drop;
  node->backward = backward;
  node->inputs = n;
  return guarded(
      [&] {
        node->label = name;
        TORCH_CHECK(!value->requires_grad(), name, ": the value already has a history");
        const auto list = collect(inputs, n);
        node->set_next_edges(torch::autograd::collect_next_edges(list));
        torch::autograd::set_history(*value, node);
        return 0;
      },
      1);
}

// Leaves each tensor without a gradient, so that the next backward pass hands its own over and has none to add to.
int vb_drop_gradients(at::Tensor* const* tensors, size_t n) {
  return guarded(
      [&] {
        for (size_t i = 0; i < n; ++i) tensors[i]->mutable_grad().reset();
        return 0;
      },
      1);
}

// One fused Adam step (AdamW when `decoupled`), in place. Steps are one-element f32 tensors, counted up here.
int vb_fused_adam(at::Tensor* const* params, at::Tensor* const* grads, at::Tensor* const* means,
                  at::Tensor* const* squares, at::Tensor* const* steps, size_t n, int decoupled, double lr,
                  double beta1, double beta2, double weight_decay, double eps) {
  return guarded(
      [&] {
        at::NoGradGuard no_grad;
        const auto counts = collect(steps, n);
        for (auto& step : counts) step.add_(1);
        try {
          in_shares({collect(params, n), collect(grads, n), collect(means, n), collect(squares, n)}, [&](Share& share) {
            auto& [p, g, m, v] = share.lists;
            std::vector<at::Tensor> none, s;
            for (size_t i : share.of) s.push_back(counts[i]);
            if (decoupled) {
              at::_fused_adamw_(p, g, m, v, none, s, lr, beta1, beta2, weight_decay, eps, false, false);
            } else {
              at::_fused_adam_(p, g, m, v, none, s, lr, beta1, beta2, weight_decay, eps, false, false);
            }
          });
        } catch (...) {
          // What libtorch refuses was refused before the call; where it fails all the same, some parameters may have moved,
          // and no step is counted.
          for (auto& step : counts) step.sub_(1);
          throw;
        }
        return 0;
      },
      1);
}

// One fused step of SGD with momentum, in place. A momentum of zeros takes the first step as torch does: with no dampening the
// first momentum is the gradient.
int vb_fused_sgd(at::Tensor* const* params, at::Tensor* const* grads, at::Tensor* const* momenta, size_t n, int nesterov,
                 double lr, double momentum, double weight_decay) {
  return guarded(
      [&] {
        at::NoGradGuard no_grad;
        in_shares({collect(params, n), collect(grads, n), collect(momenta, n), {}}, [&](Share& share) {
          auto& [p, g, m, none] = share.lists;
          if (momentum == 0.0) m.clear();  // the kernel refuses them then
          at::_fused_sgd_(p, g, m, weight_decay, momentum, lr, 0.0, nesterov != 0, false, false);
        });
        return 0;
      },
      1);
}

int vb_thread_count() { return guarded([&] { return threads_here(); }, 1); }

// Calls `task(state)` as often as there are threads, on each of libtorch's, this one among them, and waits for them. It must not unwind.
int vb_on_each_thread(void (*task)(void*), void* state) {
  return guarded(
      [&] {
        on_threads(threads_here(), [&](int64_t) { task(state); });
        return 0;
      },
      1);
}

// A tensor over foreign memory, which `drop(state)` frees when the last alias is gone. Takes `state` over.
at::Tensor* vb_from_owned(void* data, const int64_t* sizes, size_t dims, int8_t kind, Drop drop, void* state) {
  bool owned = false;
  auto* out = guarded(
      [&]() -> at::Tensor* {
        const auto options = at::TensorOptions().dtype(static_cast<at::ScalarType>(kind)).device(at::kCPU);
        auto t = at::from_blob(
            data, at::IntArrayRef(sizes, dims), [drop, state](void*) { drop(state); }, options);
        owned = true;
        return new at::Tensor(std::move(t));
      },
      nullptr);
  if (!owned) drop(state);
  return out;
}

// A tensor of four axes whose channels lie next to each other in memory; null on failure. Not by `contiguous`: that leaves
// alone what both formats describe, as an image of one channel, and convolutions take it for the ordinary one.
at::Tensor* vb_channels_last(at::Tensor* t) {
  return guarded(
      [&]() -> at::Tensor* {
        return new at::Tensor(t->to(t->options(), /*non_blocking=*/false, /*copy=*/false, at::MemoryFormat::ChannelsLast));
      },
      nullptr);
}

// Swaps this thread's autocast of a type of device with what `enabled` and `dtype` hold. `entering` 1 begins a scope, 0 ends it;
// the copies of weights that it keeps are dropped with the outermost one.
int vb_set_autocast(int8_t device, int* enabled, int8_t* dtype, int entering) {
  return guarded(
      [&] {
        const auto type = static_cast<at::DeviceType>(device);
        const bool was_enabled = at::autocast::is_autocast_enabled(type);
        const auto was_dtype = at::autocast::get_autocast_dtype(type);
        at::autocast::set_autocast_dtype(type, static_cast<at::ScalarType>(*dtype));
        at::autocast::set_autocast_enabled(type, *enabled != 0);
        *enabled = static_cast<int>(was_enabled);
        *dtype = static_cast<int8_t>(was_dtype);
        if (entering) {
          at::autocast::increment_nesting();
        } else if (at::autocast::decrement_nesting() == 0) {
          at::autocast::clear_cache();
        }
        return 0;
      },
      1);
}

// How often the tensor's memory was written in place; -1 for tensors that do not count (inference mode).
int64_t vb_version(at::Tensor* t) {
  return guarded([&] { return static_cast<int64_t>(t->is_inference() ? -1 : t->_version()); }, int64_t{-1});
}

// For convolutions and products of f32 on CUDA, in the whole process.
int vb_allow_tf32(int allowed) {
  return guarded(
      [&] {
        at::globalContext().setAllowTF32CuDNN(allowed != 0);
        at::globalContext().setAllowTF32CuBLAS(allowed != 0);
        return 0;
      },
      1);
}

// The version that the headers belong to.
const char* vb_version_text() { return TORCH_VERSION; }

// 1: a dense CPU (or other) tensor with memory of its own, so that asking for its data pointer cannot throw.
int vb_has_plain_storage(at::Tensor* t) {
  return guarded(
      [&] {
        // A zero tensor of autograd has a storage without memory.
        return static_cast<int>(t->defined() && t->layout() == at::kStrided && t->has_storage() && !t->is_conj() &&
                                !t->is_neg() && !t->_is_zerotensor() && !t->is_meta() && !t->is_quantized());
      },
      0);
}

// Whether every element of the tensor's memory between its first and its last is one of it, once: what walks its memory walks it.
int vb_is_packed(at::Tensor* t) {
  return guarded([&] { return static_cast<int>(t->is_non_overlapping_and_dense()); }, 0);
}

// Whether the tensor is an ordinary dense one, possibly a lazy view.
int vb_is_dense(at::Tensor* t) {
  return guarded(
      [&] {
        return static_cast<int>(t->defined() && t->layout() == at::kStrided && !t->is_meta() && !t->is_quantized());
      },
      0);
}
}
