-- The hash of a value, in SQL: XXH3 with 64 bits and seed 0, as tablelens/profile/normalize.py takes it, by which value sets
-- are kept. (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md)
--
-- A text is taken as hexadecimal digits. ``list_transform([x], lambda y: …)[1]`` gives a name to what is used more than once.

CREATE MACRO tablelens.main.wrapped(n) AS (n % 18446744073709551616::UHUGEINT)::UBIGINT;

CREATE MACRO tablelens.main.times(a, b) AS tablelens.main.wrapped(a::UHUGEINT * b::UHUGEINT);

CREATE MACRO tablelens.main.plus(a, b) AS tablelens.main.wrapped(a::UHUGEINT + b::UHUGEINT);

-- Both halves of a product, one over the other.
CREATE MACRO tablelens.main.folded_product(a, b) AS
    list_transform([a::UHUGEINT * b::UHUGEINT], lambda p: xor(tablelens.main.wrapped(p), (p // 18446744073709551616::UHUGEINT)::UBIGINT))[1];

-- Whole numbers of 8 and of 4 bytes, the least significant byte first, from the byte ``place`` on.
CREATE MACRO tablelens.main.eight(h, place) AS
    ('0x' || h[2 * (place) + 15:2 * (place) + 16] || h[2 * (place) + 13:2 * (place) + 14] || h[2 * (place) + 11:2 * (place) + 12] || h[2 * (place) + 9:2 * (place) + 10] || h[2 * (place) + 7:2 * (place) + 8] || h[2 * (place) + 5:2 * (place) + 6] || h[2 * (place) + 3:2 * (place) + 4] || h[2 * (place) + 1:2 * (place) + 2])::UBIGINT;

CREATE MACRO tablelens.main.four(h, place) AS
    ('0x' || h[2 * (place) + 7:2 * (place) + 8] || h[2 * (place) + 5:2 * (place) + 6] || h[2 * (place) + 3:2 * (place) + 4] || h[2 * (place) + 1:2 * (place) + 2])::UBIGINT;

CREATE MACRO tablelens.main.one_byte(h, place) AS ('0x' || h[2 * (place) + 1:2 * (place) + 2])::UBIGINT;

CREATE MACRO tablelens.main.secret(place) AS tablelens.main.eight('b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e', place);

CREATE MACRO tablelens.main.stirred(x) AS
    list_transform([x], lambda a: list_transform([tablelens.main.times(xor(a, a >> 37), 1609587791953885689::UBIGINT)],
                                                 lambda b: xor(b, b >> 32))[1])[1];

CREATE MACRO tablelens.main.hash_3(h, n) AS
    list_transform([xor(2267503259::UBIGINT,
            tablelens.main.one_byte(h, 0) * 65536 + tablelens.main.one_byte(h, n // 2) * 16777216
            + tablelens.main.one_byte(h, n - 1) + n::UBIGINT * 256)],
        lambda a: list_transform([tablelens.main.times(xor(a, a >> 33), 14029467366897019727::UBIGINT)],
        lambda b: list_transform([tablelens.main.times(xor(b, b >> 29), 1609587929392839161::UBIGINT)],
        lambda c: xor(c, c >> 32))[1])[1])[1];

CREATE MACRO tablelens.main.turned(x, bits) AS
    tablelens.main.wrapped(x::UHUGEINT * (1::UHUGEINT << bits)) | (x >> (64 - bits));

CREATE MACRO tablelens.main.hash_8(h, n) AS
    list_transform([xor(14355981877291832738::UBIGINT,
            tablelens.main.plus(tablelens.main.four(h, n - 4), tablelens.main.four(h, 0)::UHUGEINT * 4294967296::UHUGEINT))],
        lambda a: list_transform([tablelens.main.times(xor(a, xor(tablelens.main.turned(a, 49), tablelens.main.turned(a, 24))),
                                                       11507291218515648293::UBIGINT)],
        lambda b: list_transform([tablelens.main.times(xor(b, tablelens.main.plus(b >> 35, n)), 11507291218515648293::UBIGINT)],
        lambda c: xor(c, c >> 28))[1])[1])[1];

CREATE MACRO tablelens.main.hash_16(h, n) AS
    list_transform([{'low': xor(tablelens.main.eight(h, 0), 7458650908927343033::UBIGINT),
                     'high': xor(tablelens.main.eight(h, n - 8), 12634492766384443962::UBIGINT)}],
        lambda ends: tablelens.main.stirred(tablelens.main.wrapped(
            n::UHUGEINT + tablelens.main.eight(format('{:016X}', ends.low), 0)::UHUGEINT + ends.high::UHUGEINT
            + tablelens.main.folded_product(ends.low, ends.high)::UHUGEINT)))[1];

CREATE MACRO tablelens.main.mixed(h, place, key) AS
    tablelens.main.folded_product(xor(tablelens.main.eight(h, place), tablelens.main.secret(key)),
                                  xor(tablelens.main.eight(h, (place) + 8), tablelens.main.secret((key) + 8)))::HUGEINT;

CREATE MACRO tablelens.main.hash_128(h, n) AS
    tablelens.main.stirred(tablelens.main.wrapped((
        tablelens.main.times(n, 11400714785074694791::UBIGINT)::HUGEINT
        + list_sum(list_transform(range(0, (n - 1) // 32 + 1), lambda i:
            tablelens.main.mixed(h, 16 * i, 32 * i) + tablelens.main.mixed(h, n - 16 * (i + 1), 32 * i + 16)))
    )::UHUGEINT));

CREATE MACRO tablelens.main.hash_240(h, n) AS
    list_transform([tablelens.main.stirred(tablelens.main.wrapped((
        tablelens.main.times(n, 11400714785074694791::UBIGINT)::HUGEINT
        + list_sum(list_transform(range(0, 8), lambda i: tablelens.main.mixed(h, 16 * i, 16 * i))))::UHUGEINT))],
        lambda a: tablelens.main.stirred(tablelens.main.wrapped((
            a::HUGEINT + tablelens.main.mixed(h, n - 16, 119)
            + coalesce(list_sum(list_transform(range(8, n // 16), lambda i: tablelens.main.mixed(h, 16 * i, 16 * i - 125))), 0)
        )::UHUGEINT)))[1];

-- The hash of a value; NULL of one that is empty or longer than 240 bytes.
CREATE MACRO tablelens.main.hash_of(value) AS
    list_transform([{'h': hex(encode(value)), 'n': octet_length(encode(value))}], lambda text:
        CASE WHEN text.n BETWEEN 1 AND 3 THEN tablelens.main.hash_3(text.h, text.n)
             WHEN text.n BETWEEN 4 AND 8 THEN tablelens.main.hash_8(text.h, text.n)
             WHEN text.n BETWEEN 9 AND 16 THEN tablelens.main.hash_16(text.h, text.n)
             WHEN text.n BETWEEN 17 AND 128 THEN tablelens.main.hash_128(text.h, text.n)
             WHEN text.n BETWEEN 129 AND 240 THEN tablelens.main.hash_240(text.h, text.n) END)[1];
