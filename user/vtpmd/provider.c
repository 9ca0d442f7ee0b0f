// SPDX-License-Identifier: MIT
/* A default provider for OpenSSL that offers what libtpms asks for and nothing else.
 *
 * OpenSSL 3 finds all algorithms through a provider. The one that libcrypto.a brings refers to
 * everything there is (encoders, key stores, HTTP, X.509, ...): more than a megabyte that every
 * boot would have to hash and load, and code that nobody could reach. As ossl_default_provider_init
 * is defined here, the linker fetches only the algorithms below; these are libcrypto's own, as they
 * are. libtpms 0.9 uses through EVP: block ciphers by name in five modes, RSA encryption and
 * signatures, and the hashes that those need. Its hashes proper, AES_encrypt, EC and big numbers
 * are plain functions without a provider.
 *
 * The symbols are internal to OpenSSL 3.0 and checked by the linker; that each algorithm is found
 * is tested (test_vtpmd.py: the TPM's full self-test, and a use of each family). */
#include <stddef.h>

#include <openssl/bio.h>
#include <openssl/core.h>
#include <openssl/core_dispatch.h>

#include "base/compiler.h"

/* Left out for the same reason, under the names that libcrypto calls. The base provider has
 * encoders and key stores, the null provider nothing; neither is a fallback, so nobody asks for
 * them. The names of ciphers for EVP_get_cipherbyname(), which libtpms does not call (it names
 * hashes that way). The log of OpenSSL's certificate management protocol, closed by a clean-up at
 * exit that vtpmd does not have. */
int ossl_base_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
			    const OSSL_DISPATCH **out, void **context);
int ossl_null_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
			    const OSSL_DISPATCH **out, void **context);
void openssl_add_all_ciphers_int(void);
void OSSL_CMP_log_close(void);

/* From OpenSSL's prov/provider_ctx.h, prov/bio.h: the context that its algorithms expect. */
struct prov_ctx_st;
struct prov_ctx_st *ossl_prov_ctx_new(void);
void ossl_prov_ctx_free(struct prov_ctx_st *context);
void ossl_prov_ctx_set0_libctx(struct prov_ctx_st *context, OSSL_LIB_CTX *library);
void ossl_prov_ctx_set0_handle(struct prov_ctx_st *context, const OSSL_CORE_HANDLE *handle);
int ossl_default_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
			       const OSSL_DISPATCH **out, void **context);

#define PROPERTY "provider=default"
#define ALGORITHM(name, f)              \
	{                               \
		name, PROPERTY, f, NULL \
	}
#define END_OF_LIST                    \
	{                              \
		NULL, NULL, NULL, NULL \
	}

/* Declares ossl_<name>_functions, the dispatch table of an algorithm in libcrypto. */
#define TABLE(name) extern const OSSL_DISPATCH ossl_##name##_functions[]

#define DECLARE_MODES(cipher) \
	TABLE(cipher##ecb);   \
	TABLE(cipher##cbc);   \
	TABLE(cipher##cfb);   \
	TABLE(cipher##ofb);   \
	TABLE(cipher##ctr)

DECLARE_MODES(aes128);
DECLARE_MODES(aes192);
DECLARE_MODES(aes256);
DECLARE_MODES(camellia128);
DECLARE_MODES(camellia192);
DECLARE_MODES(camellia256);
TABLE(tdes_ede3_ecb);
TABLE(tdes_ede3_cbc);
TABLE(tdes_ede3_cfb);
TABLE(tdes_ede3_ofb);
TABLE(sha1);
TABLE(sha256);
TABLE(sha384);
TABLE(sha512);
TABLE(rsa_keymgmt);
TABLE(rsa_asym_cipher);
TABLE(rsa_signature);

#define MODES(name, cipher)                                           \
	ALGORITHM(name "-ECB", ossl_##cipher##ecb_functions),         \
		ALGORITHM(name "-CBC", ossl_##cipher##cbc_functions), \
		ALGORITHM(name "-CFB", ossl_##cipher##cfb_functions), \
		ALGORITHM(name "-OFB", ossl_##cipher##ofb_functions), \
		ALGORITHM(name "-CTR", ossl_##cipher##ctr_functions)

static const OSSL_ALGORITHM ciphers[] = {
	MODES("AES-128", aes128),
	MODES("AES-192", aes192),
	MODES("AES-256", aes256),
	MODES("CAMELLIA-128", camellia128),
	MODES("CAMELLIA-192", camellia192),
	MODES("CAMELLIA-256", camellia256),
	ALGORITHM("DES-EDE3-ECB:DES-EDE3", ossl_tdes_ede3_ecb_functions),
	ALGORITHM("DES-EDE3-CBC:DES3", ossl_tdes_ede3_cbc_functions),
	ALGORITHM("DES-EDE3-CFB", ossl_tdes_ede3_cfb_functions),
	ALGORITHM("DES-EDE3-OFB", ossl_tdes_ede3_ofb_functions),
	END_OF_LIST,
};

static const OSSL_ALGORITHM digests[] = {
	ALGORITHM("SHA1:SHA-1", ossl_sha1_functions),
	ALGORITHM("SHA2-256:SHA-256:SHA256", ossl_sha256_functions),
	ALGORITHM("SHA2-384:SHA-384:SHA384", ossl_sha384_functions),
	ALGORITHM("SHA2-512:SHA-512:SHA512", ossl_sha512_functions),
	END_OF_LIST,
};

static const OSSL_ALGORITHM key_management[] = {
	ALGORITHM("RSA:rsaEncryption", ossl_rsa_keymgmt_functions),
	END_OF_LIST,
};

static const OSSL_ALGORITHM asymmetric_ciphers[] = {
	ALGORITHM("RSA:rsaEncryption", ossl_rsa_asym_cipher_functions),
	END_OF_LIST,
};

static const OSSL_ALGORITHM signatures[] = {
	ALGORITHM("RSA:rsaEncryption", ossl_rsa_signature_functions),
	END_OF_LIST,
};

/* One C type for functions of all signatures is OpenSSL's way, and its macros' casts. */
static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
	(void)context;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_DIGEST: return digests;
	case OSSL_OP_CIPHER: return ciphers;
	case OSSL_OP_KEYMGMT: return key_management;
	case OSSL_OP_ASYM_CIPHER: return asymmetric_ciphers;
	case OSSL_OP_SIGNATURE: return signatures;
	default: return NULL; /* Not an enum of ours: OpenSSL asks for all kinds. */
	}
}

static void teardown(void *context)
{
	ossl_prov_ctx_free(context);
}

static const OSSL_DISPATCH provider_functions[] = {
	{OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))teardown},
	{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
	{0, NULL},
};

int ossl_default_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
			       const OSSL_DISPATCH **out, void **context)
{
	OSSL_FUNC_core_get_libctx_fn *get_library = NULL;
	struct prov_ctx_st *made;

	for (; in->function_id != 0; in++) {
		if (in->function_id == OSSL_FUNC_CORE_GET_LIBCTX) {
			get_library = OSSL_FUNC_core_get_libctx(in);
		}
	}
	if (get_library == NULL) {
		return 0;
	}
	made = ossl_prov_ctx_new();
	if (made == NULL) {
		return 0;
	}
	/* In libcrypto itself the core's opaque context is the library's context. */
	ossl_prov_ctx_set0_libctx(made, (OSSL_LIB_CTX *)get_library(handle));
	ossl_prov_ctx_set0_handle(made, handle);
	*out = provider_functions;
	*context = made;
	return 1;
}

int ossl_base_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
			    const OSSL_DISPATCH **out, void **context)
{
	(void)handle;
	(void)in;
	(void)out;
	(void)context;
	return 0;
}

int ossl_null_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
			    const OSSL_DISPATCH **out, void **context)
{
	return ossl_base_provider_init(handle, in, out, context);
}

void openssl_add_all_ciphers_int(void)
{
}

void OSSL_CMP_log_close(void)
{
}
