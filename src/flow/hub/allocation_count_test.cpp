// Replaces the test program's operator new. In a file of its own, so that the compiler does not see it together with its callers.
#include "flow/hub/allocation_count_test.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

#include <malloc.h>

namespace {

std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> live_bytes{0};

void* count(void* memory) {
    ++allocations;
    if (memory != nullptr) live_bytes += malloc_usable_size(memory) + sizeof(std::size_t);  // and what the allocator puts before it
    return memory;
}
void release(void* memory) {
    if (memory != nullptr) live_bytes -= malloc_usable_size(memory) + sizeof(std::size_t);
    std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
    if (void* memory = count(std::malloc(size == 0 ? 1 : size))) return memory;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return count(std::malloc(size == 0 ? 1 : size)); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }

namespace sluice::hub::test {

std::size_t allocations_so_far() { return allocations; }
std::size_t bytes_in_use() { return live_bytes; }

}  // namespace sluice::hub::test
