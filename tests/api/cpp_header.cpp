// SPDX-License-Identifier: MIT
/* cpp_header.cpp: dam.h from C++: it compiles, every function links, none may throw, and a container can live on it. */
#include "dam/dam.h"

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
#include <cmocka.h>
}

#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

static_assert(noexcept(dam_malloc(1)), "");
static_assert(noexcept(dam_calloc(1, 1)), "");
static_assert(noexcept(dam_realloc(nullptr, 1)), "");
static_assert(noexcept(dam_reallocarray(nullptr, 1, 1)), "");
static_assert(noexcept(dam_expand(nullptr, 1)), "");
static_assert(noexcept(dam_free(nullptr)), "");
static_assert(noexcept(dam_free_sized(nullptr, 1)), "");
static_assert(noexcept(dam_free_aligned_sized(nullptr, 1, 1)), "");
static_assert(noexcept(dam_aligned_alloc(16, 1)), "");
static_assert(noexcept(dam_posix_memalign(nullptr, 16, 1)), "");
static_assert(noexcept(dam_malloc_usable_size(nullptr)), "");
static_assert(noexcept(dam_layer_for_size(1)), "");
static_assert(noexcept(dam_heap_create()), "");
static_assert(noexcept(dam_heap_malloc(nullptr, 1)), "");
static_assert(noexcept(dam_heap_calloc(nullptr, 1, 1)), "");
static_assert(noexcept(dam_heap_realloc(nullptr, nullptr, 1)), "");
static_assert(noexcept(dam_heap_aligned_alloc(nullptr, 16, 1)), "");
static_assert(noexcept(dam_heap_destroy(nullptr)), "");
static_assert(noexcept(dam_trim()), "");
static_assert(noexcept(dam_option_get(nullptr, nullptr, 0)), "");
static_assert(noexcept(dam_option_set(nullptr, nullptr)), "");
static_assert(noexcept(dam_version()), "");

namespace {

/* The smallest allocator a container accepts, on a first-class heap. */
template <typename T> struct heap_allocator {
    using value_type = T;

    explicit heap_allocator(dam_heap *its_heap) : heap(its_heap) {
    }
    template <typename U> heap_allocator(const heap_allocator<U> &other) : heap(other.heap) {
    }

    T *allocate(std::size_t count) {
        void *block = dam_heap_calloc(heap, count, sizeof(T));
        if (block == nullptr)
            throw std::bad_alloc();
        return static_cast<T *>(block);
    }
    void deallocate(T *block, std::size_t count) {
        dam_free_sized(block, count * sizeof(T));
    }

    dam_heap *heap;
};

template <typename T, typename U> bool operator==(const heap_allocator<T> &a, const heap_allocator<U> &b) {
    return a.heap == b.heap;
}
template <typename T, typename U> bool operator!=(const heap_allocator<T> &a, const heap_allocator<U> &b) {
    return a.heap != b.heap;
}

void every_function_links_and_works(void **) {
    void *block = dam_malloc(10);
    assert_non_null(block);
    assert_true(dam_malloc_usable_size(block) >= 10);
    assert_false(dam_expand(block, std::size_t{1} << 40));
    block = dam_realloc(block, 1000);
    assert_non_null(block);
    block = dam_reallocarray(block, 100, 100);
    assert_non_null(block);
    dam_free(block);
    dam_free_sized(dam_calloc(3, 5), 15);
    dam_free_aligned_sized(dam_aligned_alloc(64, 100), 64, 100);
    void *aligned = nullptr;
    assert_int_equal(dam_posix_memalign(&aligned, 4096, 1), 0);
    dam_free(aligned);
    assert_int_equal(dam_layer_for_size(300), DAM_LAYER_GENERAL);
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    void *of_heap = dam_heap_malloc(heap, 100);
    assert_non_null(of_heap);
    assert_non_null(dam_heap_realloc(heap, of_heap, 100000));
    assert_non_null(dam_heap_calloc(heap, 2, 100));
    assert_non_null(dam_heap_aligned_alloc(heap, 256, 100));
    dam_heap_destroy(heap);
    (void)dam_trim();
    char value[64];
    assert_int_equal(dam_option_get("dirty_max", value, sizeof value), 0);
    assert_int_equal(dam_option_set("dirty_max", value), 0);
    assert_true(std::strlen(dam_version()) > 0);
}

void containers_can_live_in_a_first_class_heap(void **) {
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    {
        using pair = std::pair<const int, long>;
        std::vector<long, heap_allocator<long>> numbers{heap_allocator<long>(heap)};
        std::map<int, long, std::less<int>, heap_allocator<pair>> squares{heap_allocator<pair>(heap)};
        for (int i = 0; i < 50000; i++) {
            numbers.push_back(i);
            squares[i % 1000] = static_cast<long>(i) * i;
        }
        for (int i = 0; i < 50000; i++)
            assert_int_equal(numbers[static_cast<std::size_t>(i)], i);
        assert_int_equal(squares[999], 49999L * 49999L);
    }
    dam_heap_destroy(heap);
}

void a_smart_pointer_can_release_with_dam_free(void **) {
    struct release {
        void operator()(char *block) const {
            dam_free(block);
        }
    };
    std::unique_ptr<char, release> text(static_cast<char *>(dam_malloc(100)));
    assert_non_null(text.get());
    std::memset(text.get(), 'x', 100);
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_links_and_works),
        cmocka_unit_test(containers_can_live_in_a_first_class_heap),
        cmocka_unit_test(a_smart_pointer_can_release_with_dam_free),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
