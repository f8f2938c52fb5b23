using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Amazon.Runtime;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>The connections to the store: its certificate authorities, its proxy, its bounds of time.</summary>
internal sealed class S3Transport : HttpClientFactory, IDisposable
{
    private readonly SocketsHttpHandler _handler;
    private readonly ResponseObserver _observer;
    private readonly HttpClient _client;

    public S3Transport(S3Settings settings)
    {
        _handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // A redirected request would have to be signed anew.
            AutomaticDecompression = DecompressionMethods.None, // What lies there with a Content-Encoding is read as it lies there.
            UseCookies = false,
            ConnectTimeout = settings.ConnectTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(10), // A store's name stands for many addresses that change.
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(15), // Shorter than stores wait before they hang up.
            MaxConnectionsPerServer = Math.Max(8, settings.ConcurrentRequests * 2),
            InitialHttp2StreamWindowSize = 1 << 20,
            ResponseDrainTimeout = TimeSpan.FromMilliseconds(200),
        };
        if (settings.ProxyUrl is { } proxy)
            _handler.Proxy = new WebProxy(new UriBuilder(proxy) { UserName = "", Password = "" }.Uri) { Credentials = CredentialOf(proxy) };
        if (settings.CaCertificateFile is { } file)
            _handler.SslOptions = TrustOnly(file);
        _observer = new ResponseObserver(_handler);
        _client = new HttpClient(_observer) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>What the answers told in passing.</summary>
    public ResponseObserver Observer => _observer;

    /// <inheritdoc/>
    public override HttpClient CreateHttpClient(IClientConfig clientConfig) => _client;

    /// <inheritdoc/>
    public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

    /// <inheritdoc/>
    public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

    public void Dispose() => _client.Dispose();

    private static NetworkCredential? CredentialOf(Uri proxy)
    {
        if (proxy.UserInfo.Length == 0)
            return null;
        string[] parts = proxy.UserInfo.Split(':', 2);
        return new NetworkCredential(Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : "");
    }

    private static SslClientAuthenticationOptions TrustOnly(string file)
    {
        var roots = new X509Certificate2Collection();
        try
        {
            roots.ImportFromPemFile(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw PgErrors.CaCertificateFileUnusable(file, error.Message, error);
        }
        if (roots.Count == 0)
            throw PgErrors.CaCertificateFileUnusable(file, "It holds no certificate.", null);
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(roots);
        return new SslClientAuthenticationOptions { CertificateChainPolicy = policy };
    }
}
