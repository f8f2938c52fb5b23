using System.Globalization;
using System.Text;
using Npgsql;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>A table of text and jsonb with about the entropy of real ones: words by Zipf's law, names, prices, random keys. The same in every run.</summary>
internal sealed class Documents
{
    private const int Seed = 20260101;
    private const int VocabularySize = 30_000;

    private static readonly string[] s_syllables =
        ["an", "be", "cor", "da", "el", "fi", "gra", "hu", "in", "jo", "ka", "lo", "mer", "no", "or", "pa", "qui", "re", "sta", "ti", "un", "ver", "wi", "xa", "yl", "zon"];

    private static readonly string[] s_states = ["new", "paid", "packed", "shipped", "delivered", "returned"];

    private readonly Random _random = new(Seed);
    private readonly string[] _words;

    private Documents()
    {
        _words = new string[VocabularySize];
        for (int i = 0; i < _words.Length; i++)
        {
            StringBuilder word = new();
            for (int length = _random.Next(1, 5); length > 0; length--)
                word.Append(s_syllables[_random.Next(s_syllables.Length)]);
            _words[i] = word.ToString();
        }
    }

    /// <summary>Creates the table and fills it with about so many bytes.</summary>
    public static async Task LoadAsync(PostgresCluster cluster, long bytes, CancellationToken cancellationToken)
    {
        await cluster.ExecuteAsync(
            "CREATE TABLE documents (id bigint PRIMARY KEY, created timestamptz NOT NULL, title text NOT NULL, body text NOT NULL, attributes jsonb NOT NULL)");
        await using NpgsqlConnection connection = new(cluster.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        Documents documents = new();
        await using TextWriter copy = await connection.BeginTextImportAsync("COPY documents FROM STDIN", cancellationToken);
        StringBuilder line = new();
        long written = 0;
        for (long id = 1; written < bytes; id++)
        {
            line.Clear();
            documents.AppendRow(line, id);
            await copy.WriteAsync(line, cancellationToken);
            written += line.Length;
        }
    }

    private void AppendRow(StringBuilder line, long id)
    {
        DateTimeOffset created = new DateTimeOffset(2024, 1, 1, 0, 0, 0, TimeSpan.Zero).AddSeconds(id * 37).AddMilliseconds(_random.Next(37_000));
        line.Append(CultureInfo.InvariantCulture, $"{id}\t{created:yyyy-MM-dd HH:mm:ss.fff}+00\t");
        AppendWords(line, _random.Next(3, 9));
        line.Append('\t');
        AppendWords(line, _random.Next(40, 160));
        line.Append(CultureInfo.InvariantCulture, $"\t{{\"customer\": {_random.Next(1, 2_000_000)}, \"state\": \"{s_states[_random.Next(s_states.Length)]}\", ");
        line.Append(CultureInfo.InvariantCulture, $"\"session\": \"{Guid(_random):N}\", \"email\": \"{Word()}.{Word()}{_random.Next(1000)}@example.com\", \"tags\": [");
        for (int tags = _random.Next(1, 5); tags > 0; tags--)
            line.Append('"').Append(Word()).Append(tags > 1 ? "\", " : "\"");
        line.Append("], \"lines\": [");
        for (int lines = _random.Next(1, 6); lines > 0; lines--)
        {
            line.Append(CultureInfo.InvariantCulture, $"{{\"sku\": \"{_random.Next(100_000, 999_999)}\", \"count\": {_random.Next(1, 9)}, \"price\": {_random.Next(100, 99_999) / 100m}}}");
            line.Append(lines > 1 ? ", " : "");
        }
        line.Append("]}\n");
    }

    private void AppendWords(StringBuilder line, int count)
    {
        for (; count > 0; count--)
            line.Append(Word()).Append(count > 1 ? " " : "");
    }

    // An exponential spread over the ranks comes close to Zipf's law: the frequency of a word goes with 1/rank.
    private string Word() => _words[(int)Math.Pow(VocabularySize, _random.NextDouble()) - 1];

    private static Guid Guid(Random random)
    {
        Span<byte> bytes = stackalloc byte[16];
        random.NextBytes(bytes);
        return new Guid(bytes);
    }
}
